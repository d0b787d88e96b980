"""Bringing the stack up and down.

There is no supervisor: services run detached, and `up` compares what runs with what should, so that running it again
repairs whatever died. Nothing else has to survive for that.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra import jars
from infra.settings import Settings
from infra.stack import processes
from infra.stack.doctor import shortages
from infra.stack.errors import ResourceError, ServiceFailedError, UnknownServiceError
from infra.stack.plan import Node, Service
from infra.stack.ports import check_ports
from infra.stack.services.all import NODES
from infra.stack.state import exclusive, open_state

POLL_SECONDS = 0.1
GRACE_SECONDS = 20.0

Report = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What `up` did: the services that it started, those that ran already, and how long it took."""

    started: list[str]
    kept: list[str]
    seconds: float


class _Abandoned(Exception):
    pass


def up(home: Path, names: Iterable[str], report: Report) -> Outcome:
    """Start the named services, and what they need, where they do not run; wait until each is ready.

    No name means all. Raises `StackError` if one cannot be started; those that are ready stay up.
    """
    began = time.monotonic()
    nodes = _with_needs(names)
    with exclusive(home):
        settings = open_state(home)
        jars.fetch(settings.cache, report)
        for finding in shortages(settings):
            raise ResourceError(finding.detail)
        running = _running(home)
        wanted = [node for node in nodes.values() if isinstance(node, Service)]
        check_ports(settings, [service for service in wanted if service.name not in running])
        _Start(settings, nodes, running, report).run()
    started = [service.name for service in wanted if service.name not in running]
    kept = [service.name for service in wanted if service.name in running]
    return Outcome(started, kept, time.monotonic() - began)


def down(home: Path, *, wipe: bool = False) -> list[str]:
    """End every process of the stack; with ``wipe`` remove the state folder too. Answers the services that ran."""
    if not home.exists():
        return processes.end(home, None, GRACE_SECONDS)
    with exclusive(home):
        ended = processes.end(home, None, GRACE_SECONDS)
        if wipe:
            shutil.rmtree(home)
    return ended


def _with_needs(names: Iterable[str]) -> Mapping[str, Node]:
    """The nodes to bring up in an order in which needs come first."""
    chosen: dict[str, Node] = {}

    def add(name: str) -> None:
        if name not in NODES:
            raise UnknownServiceError(name, [n for n, node in NODES.items() if isinstance(node, Service)])
        for need in NODES[name].needs:
            add(need)
        chosen.setdefault(name, NODES[name])

    for name in list(names) or NODES:
        add(name)
    return chosen


def _running(home: Path) -> set[str]:
    """Services whose first process lives; what is left of the others is ended, so that it holds no port and no lock."""
    found = processes.find(home)
    running = {name for name, members in found.items() if processes.leads(members[0])}
    if remains := set(found) - running:
        processes.end(home, remains, GRACE_SECONDS)
    return running


class _Start:
    """One `up`: a thread per node, each waiting for those that it needs."""

    def __init__(self, settings: Settings, nodes: Mapping[str, Node], running: set[str], report: Report) -> None:
        self._settings, self._nodes, self._running, self._report = settings, nodes, running, report
        self._failed = threading.Event()
        self._done: dict[str, Future[None]] = {}

    def run(self) -> None:
        with ThreadPoolExecutor(len(self._nodes)) as pool:
            for name, node in self._nodes.items():
                self._done[name] = pool.submit(self._bring_up, node)
        errors = [error for future in self._done.values() if (error := future.exception()) is not None]
        for error in errors:
            if not isinstance(error, _Abandoned):
                raise error

    def _bring_up(self, node: Node) -> None:
        for need in node.needs:
            if self._done[need].exception() is not None:
                raise _Abandoned
        try:
            began = time.monotonic()
            self._start(node) if isinstance(node, Service) else node.run(self._settings)
            self._report(f"{node.name} ready in {time.monotonic() - began:.1f} s")
        except BaseException:
            self._failed.set()
            raise

    def _start(self, service: Service) -> None:
        home = self._settings.home
        pid = 0
        if service.name not in self._running:
            command = service.command(self._settings)
            environment = {"RIVERMEET_HOME": str(home), **command.env}
            pid = processes.start(home, service.name, command.argv, environment)
        self._wait(service, pid)

    def _wait(self, service: Service, pid: int) -> None:
        home, deadline = self._settings.home, time.monotonic() + service.seconds
        while not service.ready(self._settings):
            if self._failed.is_set():
                raise _Abandoned
            if pid and os.waitpid(pid, os.WNOHANG) != (0, 0):
                raise ServiceFailedError(service.name, "ended at once", processes.log_tail(home, service.name))
            if time.monotonic() > deadline:
                reason = f"was not ready after {service.seconds:.0f} s"
                raise ServiceFailedError(service.name, reason, processes.log_tail(home, service.name))
            time.sleep(POLL_SECONDS)
