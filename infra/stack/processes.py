"""Our processes: started in sessions of their own, found again by a mark, ended to the last one.

The mark is a pair of variables in the environment, which every descendant inherits. So there is no file that could be
lost, be out of date, or name a process number that the system has since given to somebody else.
"""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

STACK = "RIVERMEET_STACK"
SERVICE = "RIVERMEET_SERVICE"


def start(home: Path, service: str, argv: tuple[str, ...], env: Mapping[str, str]) -> int:
    """Start ``argv`` detached, in a new session, with its output appended to the service's log; answers the pid."""
    log = log_path(home, service)
    log.parent.mkdir(parents=True, exist_ok=True)
    # Programs that change their title would otherwise overwrite the environment that we find them by.
    mark = {STACK: str(home), SERVICE: service, "SPT_NOENV": "1"}
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(argv[0], argv, {**os.environ, **env, **mark}, file_actions=actions, setsid=True)


def find(home: Path) -> dict[str, list[psutil.Process]]:
    """The living processes of the stack in ``home``, by service; the leader of the service's session comes first."""
    found: dict[str, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter():
        service = _service_of(process, str(home))
        if service and process.pid != os.getpid():
            found[service].append(process)
    return {service: sorted(members, key=lambda p: not leads(p)) for service, members in found.items()}


def leads(process: psutil.Process) -> bool:
    """Whether this is the process that `start` started, rather than a descendant of it."""
    try:
        return os.getsid(process.pid) == process.pid
    except ProcessLookupError:
        return False


def _service_of(process: psutil.Process, home: str) -> str:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        environment = process.environ()
    except (psutil.Error, OSError):
        return ""
    return environment.get(SERVICE, "") if environment.get(STACK) == home else ""


def end(home: Path, services: Iterable[str] | None, seconds: float) -> list[str]:
    """End all processes of these services (of all, if None): asked first, killed after ``seconds``.

    Answers the services that had any. Looks again until none is left, since a dying parent may have had a child.
    """
    wanted = None if services is None else set(services)
    ended: set[str] = set()
    deadline = time.monotonic() + seconds
    while members := _members(home, wanted):
        ended.update(members)
        processes = [process for group in members.values() for process in group]
        left = deadline - time.monotonic()
        _signal(processes, signal.SIGTERM if left > 0 else signal.SIGKILL)
        psutil.wait_procs(processes, timeout=max(left, 1.0))
    return sorted(ended)


def _members(home: Path, wanted: set[str] | None) -> dict[str, list[psutil.Process]]:
    return {name: group for name, group in find(home).items() if wanted is None or name in wanted}


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def log_path(home: Path, service: str) -> Path:
    """Where a service writes what it has to say."""
    return home / "log" / f"{service}.log"


def log_tail(home: Path, service: str, lines: int = 20) -> str:
    """The last lines of a service's log; empty if there is none."""
    path = log_path(home, service)
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 20_000))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
