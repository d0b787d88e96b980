"""Airflow: web server with the APIs, scheduler with two workers, and DAG processor, over one SQLite file."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.metadata
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path

from infra.settings import LOOPBACK, ROOT, Settings
from infra.stack.errors import ServiceFailedError
from infra.stack.plan import Command, Service, Step
from infra.stack.probes import get
from infra.stack.processes import leader

LOCK_SECONDS = 60
"""How long a process waits for the database while another one writes."""
MIGRATE_SECONDS = 180
SECONDS = 180.0
PARALLELISM = 2
POOLS = {"spark": (1, "Spark jobs, which take all cores of a small machine")}
"""Pool -> its slots and what it is for."""
PARTS = ("scheduler", "dag_processor")


def environment(settings: Settings) -> dict[str, str]:
    """What every Airflow process, and ``airflow`` on a command line, needs to work on this stack."""
    folder = settings.home / "airflow"
    address = f"http://{LOOPBACK}:{settings.ports.airflow}"
    values = {
        ("core", "dags_folder"): ROOT / "dags",
        ("core", "load_examples"): False,
        ("core", "parallelism"): PARALLELISM,
        ("core", "executor"): "LocalExecutor",
        # Tasks call back over HTTP, and by default to the default port.
        ("core", "execution_api_server_url"): f"{address}/execution/",
        ("core", "simple_auth_manager_users"): f"{settings.airflow.user}:admin",
        ("core", "simple_auth_manager_passwords_file"): _passwords(folder),
        ("core", "fernet_key"): _secret(settings, "fernet"),
        ("api", "base_url"): address,
        ("api", "host"): LOOPBACK,
        ("api", "port"): settings.ports.airflow,
        ("api", "workers"): 1,
        ("api", "secret_key"): _secret(settings, "api"),
        ("api_auth", "jwt_secret"): _secret(settings, "tokens"),
        ("database", "sql_alchemy_conn"): f"sqlite:///{_database(settings)}?timeout={LOCK_SECONDS}",
        ("logging", "base_log_folder"): folder / "logs",
    }
    names = {f"AIRFLOW__{section}__{key}".upper(): str(value) for (section, key), value in values.items()}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return names | {"AIRFLOW_HOME": str(folder), "RIVERMEET_HOME": str(settings.home), "PATH": path}


def _database(settings: Settings) -> Path:
    return settings.home / "airflow" / "airflow.db"


def _passwords(folder: Path) -> Path:
    return folder / "passwords.json"


def _secret(settings: Settings, purpose: str) -> str:
    """Keys that the processes share, derived from the one password that is kept."""
    password = settings.airflow.password.get_secret_value()
    return base64.urlsafe_b64encode(hmac.digest(password.encode(), purpose.encode(), hashlib.sha256)).decode()


def _prepare(settings: Settings) -> None:
    """Password file and a database with all tables; making those takes long, so an empty one is kept in the cache."""
    folder = settings.home / "airflow"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    passwords = _passwords(folder)
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({settings.airflow.user: settings.airflow.password.get_secret_value()}))
    empty = settings.cache / f"airflow-{importlib.metadata.version('apache-airflow-core')}-{len(POOLS)}.db"
    done = folder / empty.stem
    if done.exists():
        return
    if not _database(settings).exists() and empty.exists():
        _copy(empty, _database(settings))
    else:
        is_new = not _database(settings).exists()
        _migrate(settings)
        if is_new:
            _copy(_database(settings), empty)
    with closing(sqlite3.connect(_database(settings))) as database:
        # Readers and a writer do not lock each other out, so a command may write while the scheduler is busy.
        database.execute("PRAGMA journal_mode = WAL")
    done.touch()


def _copy(source: Path, target: Path) -> None:
    draft = target.with_suffix(f".{os.getpid()}")
    shutil.copyfile(source, draft)
    draft.replace(target)


def _migrate(settings: Settings) -> None:
    """Tables, and the pools that the DAGs name."""
    pools = [("pools", "set", name, str(slots), meaning) for name, (slots, meaning) in POOLS.items()]
    for arguments in (("db", "migrate"), *pools):
        done = subprocess.run(
            (sys.executable, "-m", "airflow", *arguments),
            env={**os.environ, **environment(settings)},
            capture_output=True,
            text=True,
            timeout=MIGRATE_SECONDS,
            check=False,
        )
        if done.returncode:
            _database(settings).unlink(missing_ok=True)
            raise ServiceFailedError("airflow", "could not make its database", (done.stdout + done.stderr)[-2000:])


def _command(settings: Settings) -> Command:
    return Command((sys.executable, "-m", "infra.stack.services.airflow_parts"), environment(settings))


def _ready(settings: Settings) -> bool:
    """Whether the web server answers, and the other two have shown signs of life since they were started."""
    process = leader(settings.home, "airflow")
    body = get(settings.ports.airflow, "/api/v2/monitor/health")
    if process is None or body is None:
        return False
    health = json.loads(body)
    return all(_beats_since(process.create_time(), health[part], f"latest_{part}_heartbeat") for part in PARTS)


def _beats_since(began: float, part: dict[str, str | None], field: str) -> bool:
    """A process that was killed counts as healthy for half a minute: its successor has to speak for itself."""
    beat = part.get(field)
    return part["status"] == "healthy" and bool(beat) and datetime.fromisoformat(str(beat)).timestamp() >= began


AIRFLOW = (
    Step("airflow-database", _prepare, needs=()),
    Service("airflow", _command, _ready, ports=("airflow",), needs=("airflow-database",), seconds=SECONDS, memory=1000),
)
