"""What the stack is doing now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from infra.settings import Ports, Settings
from infra.stack.plan import Service
from infra.stack.processes import Running, find
from infra.stack.services.all import NODES
from infra.stack.state import recorded_ports

State = Literal["ready", "not ready", "stopped"]

FOLLOW_SECONDS = 0.2
_MEBIBYTE = 2**20
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True)
class Status:
    """One service; ``memory`` in bytes and ``age`` in seconds, of all its processes and of the first one."""

    name: str
    state: State
    pid: int | None
    ports: tuple[int, ...]
    memory: int
    age: float

    @property
    def memory_text(self) -> str:
        """Memory in MiB, for people."""
        return f"{self.memory / _MEBIBYTE:.0f} MiB" if self.memory else ""

    @property
    def age_text(self) -> str:
        """Age in the largest unit that fits, for people."""
        if self.pid is None:
            return ""
        if self.age < _MINUTE:
            return f"{self.age:.0f} s"
        return f"{self.age / _MINUTE:.0f} min" if self.age < _HOUR else f"{self.age / _HOUR:.1f} h"

    def document(self) -> dict[str, object]:
        """The same for scripts."""
        return {
            "service": self.name,
            "state": self.state,
            "pid": self.pid,
            "ports": list(self.ports),
            "memory_bytes": self.memory,
            "age_seconds": round(self.age, 1),
        }


def known() -> list[str]:
    """Names of the services."""
    return [name for name, node in NODES.items() if isinstance(node, Service)]


def status(settings: Settings) -> list[Status]:
    """Every service of the stack, in the order of their names; each that runs is asked whether it is ready."""
    found = find(settings.home)
    settings = settings.model_copy(update={"ports": recorded_ports(settings.home)})
    services = [node for name, node in sorted(NODES.items()) if isinstance(node, Service)]
    with ThreadPoolExecutor(len(services)) as pool:
        return list(pool.map(lambda service: _status(service, settings, found.get(service.name)), services))


def _status(service: Service, settings: Settings, running: Running | None) -> Status:
    ports = _ports(service, settings.ports)
    if running is None or running.leader is None:
        return Status(service.name, "stopped", None, ports, 0, 0.0)
    state: State = "ready" if service.ready(settings) else "not ready"
    age = time.time() - running.leader.create_time()
    return Status(service.name, state, running.leader.pid, ports, sum(map(_memory, running.members)), age)


def _ports(service: Service, ports: Ports) -> tuple[int, ...]:
    return tuple(getattr(ports, name) for name in service.ports)


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def follow_log(path: Path) -> Iterator[str]:
    """What is appended to a file from now on, until the caller stops asking."""
    with path.open(errors="replace") as log:
        log.seek(0, 2)
        while True:
            yield log.read()
            time.sleep(FOLLOW_SECONDS)
