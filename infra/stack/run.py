"""Bringing the stack up and down.

There is no supervisor: services run detached, and `up` compares what runs with what should, so that running it again
repairs whatever died. Nothing else has to survive for that.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra import jars
from infra.settings import Settings
from infra.stack import processes
from infra.stack.doctor import shortages
from infra.stack.errors import ResourceError, UnknownServiceError
from infra.stack.plan import Node, Service
from infra.stack.ports import check_ports
from infra.stack.services.all import NODES
from infra.stack.start import GRACE_SECONDS, Report, Start
from infra.stack.state import exclusive, open_state


@dataclass(frozen=True)
class Outcome:
    """What `up` did: the services that it started, those that ran already, and how long it took."""

    started: list[str]
    kept: list[str]
    seconds: float


def up(home: Path, names: Iterable[str], report: Report) -> Outcome:
    """Start the named services, and what they need, where they do not run; wait until each is ready.

    No name means all. Raises `StackError` if one cannot be started; those that are ready stay up.
    """
    began = time.monotonic()
    nodes = with_needs(names)
    with exclusive(home):
        settings = open_state(home)
        jars.fetch(settings.cache, report)
        running = _running(home)
        wanted = [node for node in nodes.values() if isinstance(node, Service)]
        _check_machine(settings, [service for service in wanted if service.name not in running])
        start = Start(settings, nodes, running, report)
        start.run()
    names = [service.name for service in wanted]
    kept = [name for name in names if name not in start.started]
    return Outcome([name for name in names if name in start.started], kept, time.monotonic() - began)


def _check_machine(settings: Settings, new: list[Service]) -> None:
    """Raise `StackError` where this machine cannot carry what is to be started."""
    for finding in shortages(settings, new):
        raise ResourceError(finding.detail)
    check_ports(settings, new)


def down(home: Path, *, wipe: bool = False) -> list[str]:
    """End every process of the stack; with ``wipe`` remove the state folder too. Answers the services that ran."""
    if not home.exists():
        return _end_all(home)
    with exclusive(home):
        ended = _end_all(home)
        if wipe:
            shutil.rmtree(home)
    return ended


def with_needs(names: Iterable[str]) -> Mapping[str, Node]:
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


def _running(home: Path) -> dict[str, psutil.Process]:
    """First processes of the services that live; what is left of others is ended, so that it holds no port or lock.

    So is a fork server: its `up` was killed, and it must fork nothing more.
    """
    found = processes.find(home)
    services = ((name, running.leader) for name, running in found.items() if name != processes.FORK_SERVER)
    leaders = {name: leader for name, leader in services if leader is not None}
    if remains := set(found) - set(leaders):
        processes.end(home, remains, GRACE_SECONDS)
    return leaders


def _end_all(home: Path) -> list[str]:
    """Programs before the servers that they need, so that they can finish what they are at."""
    servers = {name for name, node in NODES.items() if not node.needs}
    programs = set(processes.find(home)) - servers
    return sorted({*processes.end(home, programs, GRACE_SECONDS), *processes.end(home, None, GRACE_SECONDS)})
