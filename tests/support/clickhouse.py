"""An owner process of ClickHouse for tests: started on a free port, stopped and gone afterwards."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect

ROOT = Path(__file__).resolve().parents[2]
_READY = re.compile(r"ready on (\S+):(\d+)")
_STOP_S = 20


@dataclass(frozen=True)
class Endpoint:
    """Where ClickHouse's HTTP interface is, and the passwords of its users (writer, analyst, admin)."""

    host: str
    port: int
    users: dict[str, str]
    pid: int = 0

    @property
    def url(self) -> str:
        """Base URL of the interface."""
        return f"http://{self.host}:{self.port}/"

    def client(self, user: str = "writer", **options: Any) -> Any:
        """A clickhouse-connect client; `options` go to ``clickhouse_connect.get_client``."""
        defaults = {"database": "rivermeet", "autogenerate_session_id": False}
        return clickhouse_connect.get_client(**self.login(user), **(defaults | options))

    def login(self, user: str = "writer") -> dict[str, Any]:
        """Host, port, username and password, as clients take them."""
        return {"host": self.host, "port": self.port, "username": user, "password": self.users[user]}


def clear(client: Any, tables: Iterable[str]) -> None:
    """Empties those of the tables that hold anything; to empty an empty one costs as much."""
    held = client.query_arrow("SELECT DISTINCT table FROM system.parts WHERE database = currentDatabase() AND active")
    names = set(held["table"].to_pylist()) if held.num_rows else set()
    for table in tables:
        if table in names:
            client.command(f"TRUNCATE TABLE {table}")


def start_owner(path: Path, *options: str) -> tuple[subprocess.Popen[str], Endpoint]:
    """Starts an owner of `path` on a free port and waits until it serves; the caller stops the process."""
    users = _users_file(path)
    command = [sys.executable, "-m", "infra.clickhouse", "--path", str(path), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--users", str(users[0]), *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    ready = _READY.search(process.stdout.readline())
    if ready is None:
        process.wait(_STOP_S)
        raise RuntimeError(f"the owner of {path} did not start; its reason is on stderr")
    return process, Endpoint(ready.group(1), int(ready.group(2)), users[1], process.pid)


def stop_owner(process: subprocess.Popen[str]) -> None:
    """Stops an owner, and kills it if it does not stop in time."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@contextlib.contextmanager
def running_owner(path: Path, *options: str) -> Iterator[Endpoint]:
    """An owner process on `path` while the block runs; the same path may be opened again afterwards."""
    process, endpoint = start_owner(path, *options)
    try:
        yield endpoint
    finally:
        stop_owner(process)


def _users_file(path: Path) -> tuple[Path, dict[str, str]]:
    path.mkdir(parents=True, exist_ok=True)
    file = path / "users.json"
    if not file.exists():
        names = ("writer", "analyst", "admin")
        entries = [{"name": name, "profile": name, "password": secrets.token_hex(8)} for name in names]
        file.touch(mode=0o600)
        file.write_text(json.dumps({"users": entries}))
    return file, {entry["name"]: entry["password"] for entry in json.loads(file.read_text())["users"]}
