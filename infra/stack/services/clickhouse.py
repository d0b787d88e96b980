"""ClickHouse: one process that owns the engine and speaks its HTTP interface, as a server would."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from infra.settings import LOOPBACK, Role, Settings
from infra.stack.plan import Command, Service
from infra.stack.probes import get

ROLES: tuple[Role, ...] = ("writer", "analyst", "admin")


def _command(settings: Settings) -> Command:
    folder = settings.home / "clickhouse"
    folder.mkdir(parents=True, exist_ok=True)
    users = folder / "users.json"
    _write_users(users, settings)
    options = {
        "--path": folder / "data",
        "--host": LOOPBACK,
        "--port": settings.ports.clickhouse,
        "--users": users,
    }
    arguments = (str(part) for option in options.items() for part in option)
    return Command((sys.executable, "-m", "infra.clickhouse", *arguments))


def _write_users(path: Path, settings: Settings) -> None:
    logins = {role: settings.clickhouse.login(role) for role in ROLES}
    users = [
        {"name": login.user, "profile": role, "password": login.password.get_secret_value()}
        for role, login in logins.items()
    ]
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"users": users}, file)


def _ready(settings: Settings) -> bool:
    return get(settings.ports.clickhouse, "/ping") is not None


CLICKHOUSE = Service("clickhouse", _command, _ready, ports=("clickhouse",), memory=800)
