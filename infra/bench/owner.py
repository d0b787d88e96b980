"""A ClickHouse owner process on a folder of its own, with a filled store, for as long as a measurement lasts."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from pydantic import SecretStr

from infra.bench.store import Size, fill
from infra.clients.clickhouse import connect, migrate
from infra.settings import LOOPBACK, ROOT, ClickHouse, Role, Settings
from schemas.tables import clickhouse_migrations
from serving.merged import statements

_ROLES: tuple[Role, ...] = ("writer", "analyst", "admin")
_READY = re.compile(r"ready on \S+:(\d+)")
_STOP_S = 30


class OwnerDidNotStart(Exception):
    """The process ended before it served; its reason is on standard error."""


@contextmanager
def bench_store(
    settings: Settings, size: Size, today: date, seed: int, report: Callable[[str], None]
) -> Iterator[ClickHouse]:
    """Address and logins of an owner whose store has that size. The store is gone afterwards."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=settings.home) as folder, _owner(Path(folder)) as store:
        client = connect(store, "admin")
        try:
            migrate(client, clickhouse_migrations(), statements(store.database))
            fill(client, size, today, seed, report)
        finally:
            client.close()
        yield store


@contextmanager
def _owner(folder: Path) -> Iterator[ClickHouse]:
    logins = {role: secrets.token_hex(8) for role in _ROLES}
    users = folder / "users.json"
    handle = os.open(users, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"users": [{"name": r, "profile": r, "password": word} for r, word in logins.items()]}, file)
    command = [sys.executable, "-m", "infra.clickhouse", "--path", str(folder / "data"), "--port", "0"]
    process = subprocess.Popen([*command, "--users", str(users)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        ready = _READY.search(process.stdout.readline()) if process.stdout else None
        if ready is None:
            raise OwnerDidNotStart
        yield ClickHouse(
            host=LOOPBACK,
            port=int(ready.group(1)),
            password=SecretStr(logins["writer"]),
            analyst={"password": logins["analyst"]},  # type: ignore[arg-type]
            admin={"password": logins["admin"]},  # type: ignore[arg-type]
        )
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        finally:
            process.kill()
