"""Starting our own programs as forks of one process that has imported what they need (see `infra.stack.forkserver`)."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import psutil

from infra.allocation import MEMORY_KEPT
from infra.stack import processes
from infra.stack.errors import ServiceFailedError
from infra.stack.plan import Program

IMPORT_SECONDS, END_SECONDS = 180.0, 5.0
_ANSWER_BYTES = 64


class ForkServer:
    """The fork server of one start of the stack in ``home``; its process ends when this is closed or `up` ends.

    Its process starts when it is first needed.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._asking = threading.Lock()
        self._connection: socket.socket | None = None

    def load(self, modules: Iterable[str]) -> None:
        """Start the process, which imports these modules while others go on."""
        self._connection = self._spawn(modules)

    def fork(self, service: str, program: Program) -> psutil.Process:
        """Start a program, marked, logged and detached as `processes.start` does. Raises `ServiceFailedError`."""
        request = {
            "entry": program.entry,
            "arguments": program.arguments,
            "log": str(processes.make_log(self._home, service)),
            "environment": processes.mark(self._home, service),
        }
        with self._asking:
            self._connection = self._connection or self._spawn(program.imports)
            answer = _ask(self._connection, json.dumps(request))
            if answer:
                return processes.lead(self._home, service, int(answer))
        last_words = processes.log_tail(self._home, processes.FORK_SERVER)
        raise ServiceFailedError(service, "was not started: the process that it is forked from ended", last_words)

    def _spawn(self, modules: Iterable[str]) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.settimeout(IMPORT_SECONDS)
        argv = (sys.executable, "-m", "infra.stack.forkserver", *modules)
        environment = {"RIVERMEET_HOME": str(self._home), **MEMORY_KEPT}
        with theirs:
            processes.start(self._home, processes.FORK_SERVER, argv, environment, stdin=theirs.fileno())
        return ours

    def close(self) -> None:
        """End the process, whatever it is at; what it forked lives on."""
        if self._connection is not None:
            self._connection.close()
            processes.end(self._home, [processes.FORK_SERVER], END_SECONDS)


def _ask(connection: socket.socket, request: str) -> bytes:
    """The answer; nothing if there is nobody to give one."""
    try:
        connection.sendall(request.encode() + b"\n")
        return connection.recv(_ANSWER_BYTES)
    except OSError:
        return b""
