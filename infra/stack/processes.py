"""Our processes: started in sessions of their own, found again by a mark, ended to the last one.

The mark is a pair of variables in the environment, which every descendant inherits. So whatever was started is found,
with or without its parent, and a number that the system has since given to somebody else is never taken for ours.
"""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

STACK = "RIVERMEET_STACK"
SERVICE = "RIVERMEET_SERVICE"
LOG_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Running:
    """The living processes of a service; ``leader`` is the one that was started, None if only others are left."""

    leader: psutil.Process | None
    members: list[psutil.Process]


def start(home: Path, service: str, argv: tuple[str, ...], env: Mapping[str, str]) -> psutil.Process:
    """Start ``argv`` detached, in a new session, with its output appended to the service's log."""
    log = log_path(home, service)
    _make_room(log)
    # Programs that change their title would otherwise overwrite the environment that we find them by.
    mark = {STACK: str(home), SERVICE: service, "SPT_NOENV": "1"}
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(argv[0], argv, {**os.environ, **env, **mark}, file_actions=actions, setsid=True)
    process = psutil.Process(pid)
    # Who dies before this leaves processes without a leader, which the next start ends.
    file = _leader_file(home, service)
    file.parent.mkdir(exist_ok=True)
    file.with_suffix(".draft").write_text(_identity(process))
    file.with_suffix(".draft").replace(file)
    return process


def _leader_file(home: Path, service: str) -> Path:
    return home / "run" / f"{service}.pid"


def _identity(process: psutil.Process) -> str:
    """Number and birth: what no other process ever has."""
    return f"{process.pid} {process.create_time()}"


def find(home: Path) -> dict[str, Running]:
    """What runs of the stack in ``home``, by service."""
    members: dict[str, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter():
        service = _service_of(process, str(home))
        if service and process.pid != os.getpid():
            members[service].append(process)
    return {service: Running(leader(home, service), found) for service, found in members.items()}


def leader(home: Path, service: str) -> psutil.Process | None:
    """The first process of a service, if it lives; cheaper than `find`, which looks at every process there is."""
    try:
        identity = _leader_file(home, service).read_text()
        process = psutil.Process(int(identity.split()[0]))
        alive = _identity(process) == identity and process.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    return process if alive else None


def _service_of(process: psutil.Process, home: str) -> str:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        environment = process.environ()
    except (psutil.Error, OSError):
        return ""
    return environment.get(SERVICE, "") if environment.get(STACK) == home else ""


def has_ended(process: psutil.Process) -> bool:
    """Whether the process is gone; buries it if it was a child of ours."""
    try:
        process.wait(timeout=0)
    except psutil.TimeoutExpired:
        return False
    return True


def end(home: Path, services: Iterable[str] | None, seconds: float) -> list[str]:
    """End all processes of these services (of all, if None): asked first, killed after ``seconds``.

    Answers the services that had any. Looks again until none is left, since a dying parent may have had a child.
    """
    wanted = None if services is None else set(services)
    ended: set[str] = set()
    deadline = time.monotonic() + seconds
    while running := {name: found for name, found in find(home).items() if wanted is None or name in wanted}:
        ended.update(running)
        processes = [process for found in running.values() for process in found.members]
        left = deadline - time.monotonic()
        _signal(processes, signal.SIGTERM if left > 0 else signal.SIGKILL)
        psutil.wait_procs(processes, timeout=max(left, 1.0))
    return sorted(ended)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def log_path(home: Path, service: str) -> Path:
    """Where a service writes what it has to say."""
    return home / "log" / f"{service}.log"


def _make_room(log: Path) -> None:
    """A long log is put aside, over the one that was put aside before."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def log_tail(home: Path, service: str, lines: int = 20) -> str:
    """The last lines of a service's log; empty if there is none."""
    path = log_path(home, service)
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 1000 * lines))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:] if lines else ())
