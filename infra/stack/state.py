"""The state folder: its lock, and the record of ports and credentials that all programs read as settings."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.jars import locked
from infra.settings import LOOPBACK, STACK_FILE, Ports, Settings, load_settings, read_stack_file
from infra.stack.errors import ForeignAddressError

LOCK_SECONDS = 180.0
PASSWORD_BYTES = 24

_SERVERS = ("KAFKA", "REGISTRY", "CLICKHOUSE", "CASSANDRA", "API", "AIRFLOW", "FEATURES")
_ADDRESSES = tuple(f"RIVERMEET_{part}__" for part in _SERVERS)


@contextlib.contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """One command at a time changes a stack; ``TimeoutError`` if another one does not end."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(home / "lock", LOCK_SECONDS):
        yield


def open_state(home: Path) -> Settings:
    """Create or complete the record of this stack and answer its settings.

    Ports come from the environment, then from the record; those that are still 0 are picked here, once.
    Credentials are generated once and kept. Raises `ForeignAddressError`.
    """
    _refuse_addresses()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (home / ".gitignore").write_text("*\n")
    record = read_stack_file(home)
    ports = _choose_ports(load_settings(home).ports, record.get("ports", {}))
    _write_private(home / STACK_FILE, _record(ports, record))
    # A port that the environment leaves to us would hide the one that was picked.
    return load_settings(home).model_copy(update={"ports": ports})


def _refuse_addresses() -> None:
    if foreign := [name for name in sorted(os.environ) if name.startswith(_ADDRESSES)]:
        raise ForeignAddressError(foreign)


def open_brief_state(home: Path) -> Settings:
    """The settings of a stack that lives for a moment beside all others: every port is picked, whatever is set.

    Raises `ForeignAddressError`.
    """
    _refuse_addresses()
    ports = Ports(**{name: free_port() for name in Ports.model_fields})
    _write_private(home / STACK_FILE, _record(ports, {}))
    return load_settings(home).model_copy(update={"ports": ports})


def recorded_ports(home: Path) -> Ports:
    """The ports of the stack in this folder; 0 where one would be picked at its first start."""
    return _merge_ports(load_settings(home).ports, read_stack_file(home).get("ports", {}))


def _choose_ports(wanted: Ports, recorded: dict[str, int]) -> Ports:
    merged = _merge_ports(wanted, recorded).model_dump()
    return Ports(**{name: port or free_port() for name, port in merged.items()})


def _merge_ports(wanted: Ports, recorded: dict[str, int]) -> Ports:
    return Ports(**{name: port or recorded.get(name, 0) for name, port in wanted.model_dump().items()})


def free_port() -> int:
    """A port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _record(ports: Ports, old: dict[str, Any]) -> dict[str, Any]:
    def password(*path: str) -> str:
        value: Any = old
        for name in path:
            value = value.get(name, {})
        return value if isinstance(value, str) else secrets.token_urlsafe(PASSWORD_BYTES)

    return {
        "ports": ports.model_dump(),
        "kafka": {"bootstrap": f"{LOOPBACK}:{ports.kafka}"},
        "registry": {"url": f"http://{LOOPBACK}:{ports.registry}/apis/ccompat/v7"},
        "clickhouse": {
            "host": LOOPBACK,
            "port": ports.clickhouse,
            "password": password("clickhouse", "password"),
            "analyst": {"user": "analyst", "password": password("clickhouse", "analyst", "password")},
            "admin": {"user": "admin", "password": password("clickhouse", "admin", "password")},
        },
        "cassandra": {"host": LOOPBACK, "port": ports.cassandra, "password": password("cassandra", "password")},
        "api": {"host": LOOPBACK, "port": ports.api, "key": password("api", "key")},
        "features": {"host": LOOPBACK, "port": ports.features},
        "airflow": {"host": LOOPBACK, "port": ports.airflow, "password": password("airflow", "password")},
    }


def _write_private(path: Path, document: dict[str, Any]) -> None:
    """Replace the file as a whole; nobody but its owner may ever read it."""
    draft = path.with_suffix(".draft")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(document, file, indent=2)
    draft.replace(path)
