"""A ClickHouse owner process on a folder of its own, with a filled store, for as long as a measurement lasts."""

from __future__ import annotations

import json
import os
import re
import secrets
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, cast

import psutil
from pydantic import SecretStr

from infra.bench.store import Size, fill
from infra.clients.clickhouse import connect, migrate
from infra.settings import LOOPBACK, ROOT, ClickHouse, Role, Settings
from schemas.tables import clickhouse_migrations
from serving.merged import statements

_ROLES: tuple[Role, ...] = ("writer", "analyst", "admin")
_READY = re.compile(r"ready on \S+:(\d+)")
_START_S, _STATEMENT_S, _STOP_S = 60, 120, 30


class OwnerDidNotStart(Exception):
    """The process ended before it served, or took too long; its reason is on standard error."""


@dataclass(frozen=True)
class Owned:
    """Address and logins of an owner, and the process to ask what it spends."""

    settings: ClickHouse
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """What the process has spent so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def bench_store(
    settings: Settings, size: Size, today: date, seed: int, report: Callable[[str], None]
) -> Iterator[Owned]:
    """An owner whose store has that size. The store is gone afterwards."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=settings.home) as folder, _owner(Path(folder)) as store:
        client = connect(store.settings, "admin", query_timeout_s=_STATEMENT_S)
        try:
            migrate(client, clickhouse_migrations(), statements(store.settings.database))
            fill(client, size, today, seed, report)
        finally:
            client.close()
        yield store


@contextmanager
def _owner(folder: Path) -> Iterator[Owned]:
    logins = {role: secrets.token_hex(8) for role in _ROLES}
    users = folder / "users.json"
    handle = os.open(users, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"users": [{"name": r, "profile": r, "password": word} for r, word in logins.items()]}, file)
    command = [sys.executable, "-m", "infra.clickhouse", "--path", str(folder / "data"), "--port", "0"]
    process = subprocess.Popen([*command, "--users", str(users)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        settings = ClickHouse(
            host=LOOPBACK,
            port=_port(process),
            password=SecretStr(logins["writer"]),
            analyst={"password": logins["analyst"]},  # type: ignore[arg-type]
            admin={"password": logins["admin"]},  # type: ignore[arg-type]
        )
        yield Owned(settings, psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        finally:
            process.kill()


def _port(process: subprocess.Popen[str]) -> int:
    """The port that the process says it is ready on. Raises OwnerDidNotStart."""
    with selectors.DefaultSelector() as selector:
        selector.register(cast("IO[str]", process.stdout), selectors.EVENT_READ)
        said = cast("IO[str]", process.stdout).readline() if selector.select(_START_S) else ""
    ready = _READY.search(said)
    if ready is None:
        raise OwnerDidNotStart
    return int(ready.group(1))
