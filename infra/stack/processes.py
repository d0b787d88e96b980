"""Our processes: started in sessions of their own, found again by a mark, ended to the last one.

The mark is a pair of variables in the environment, which every descendant inherits. So whatever was started is found,
with or without its parent, and a number that the system has since given to somebody else is never taken for ours.
A process that is forked and not executed keeps the mark of the one it was forked from: `FORK_SERVER` is the mark of our
programs, which are told apart by the record of who leads what.
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
FORK_SERVER = "fork-server"
LOG_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Running:
    """The living processes of a service; ``leader`` is the one that was started, None if only others are left."""

    leader: psutil.Process | None
    members: list[psutil.Process]


def start(
    home: Path, service: str, argv: tuple[str, ...], env: Mapping[str, str], stdin: int | None = None
) -> psutil.Process:
    """Start ``argv`` detached, in a new session, with its output appended to the service's log.

    ``stdin`` is a descriptor to read from; nothing, if it is left out.
    """
    log = make_log(home, service)
    read = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0) if stdin is None else (os.POSIX_SPAWN_DUP2, stdin, 0)
    actions = [
        read,
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    environment = {**os.environ, **env, **mark(home, service)}
    return lead(home, service, os.posix_spawn(argv[0], argv, environment, file_actions=actions, setsid=True))


def mark(home: Path, service: str) -> dict[str, str]:
    """The variables by which a process of this service is found."""
    # Programs that change their title would otherwise overwrite the environment that we find them by.
    return {STACK: str(home), SERVICE: service, "SPT_NOENV": "1"}


def lead(home: Path, service: str, pid: int) -> psutil.Process:
    """Record that this process is the first one of a service.

    Who dies before this leaves processes without a leader, which the next start ends.
    """
    process = psutil.Process(pid)
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
            members[_forked(process, home) if service == FORK_SERVER else service].append(process)
    return {service: Running(leader(home, service), found) for service, found in members.items()}


def _forked(process: psutil.Process, home: Path) -> str:
    """The service that this fork leads; one that leads none died, or was asked for by one that did, half way."""
    led = (file.stem for file in (home / "run").glob("*.pid") if file.read_text() == _identity(process))
    return next(led, FORK_SERVER)


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


def make_log(home: Path, service: str) -> Path:
    """The log for a service to append to; a long one is put aside, over the one that was put aside before."""
    log = log_path(home, service)
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return log


def log_tail(home: Path, service: str, lines: int = 20) -> str:
    """The last lines of a service's log; empty if there is none."""
    path = log_path(home, service)
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 1000 * lines))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:] if lines else ())
