"""Rows for topics leave the worker for a process of its own: what they take there keeps no tick from the interpreter.

To make records of rows and to hand them to Kafka's client, one Python object each, is a third of the time for which a
worker at work holds the interpreter; to write them as Arrow is a hundredth.
"""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from infra.settings import ROOT
from schemas.topics import Topic
from streams.framing import receive, send
from streams.outputs import DELIVERY_SECONDS, OUTPUTS, OutputUnavailable
from streams.sending import CONFIRM, Confirmed, parts_of
from streams.writes import Write

SENDER = (sys.executable, "-m", "streams.sender")
_ANSWER_SECONDS = 3 * DELIVERY_SECONDS

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class _Sender:
    process: subprocess.Popen[bytes]
    connection: socket.socket


class Outbox:
    """What `streams.outputs.Outputs` does, done in a process of its own. For one thread.

    `find_id` asks the registry for the id of a topic's contract; `command` is given the number of its end of a socket
    pair. A process that has ended, or that does not answer for so many seconds, is as if Kafka had not answered, and
    the next rows begin another one.
    """

    def __init__(
        self,
        client_config: Mapping[str, str],
        find_id: Callable[[Topic], int],
        command: Sequence[str] = SENDER,
        seconds: float = _ANSWER_SECONDS,
    ) -> None:
        self.spent: dict[str, float] = {}
        """"send" -> CPU seconds of the processes so far, as of the last `confirm`."""
        self._config, self._command, self._seconds = pickle.dumps(dict(client_config)), command, seconds
        self._find_id = cache(find_id)
        self._sender: _Sender | None = None
        self._spent_before = 0.0

    def start(self) -> None:
        """Begins the process ahead of the first rows: it takes a second until it is there. Raises OutputUnavailable."""
        if self._sender is None:
            self._sender = self._spawn()
            self._tell(self._config)

    def send(self, write: Write) -> None:
        """Hands the rows over, if the table has a topic. Raises OutputUnavailable, RegistryUnavailable."""
        output = OUTPUTS.get(write.table)
        if output is None:
            return
        schema_id = self._find_id(output.topic)
        self.start()
        for part in parts_of(write, schema_id):
            self._tell(pickle.dumps(part))

    def confirm(self) -> None:
        """Waits until all that was sent is acknowledged by all replicas. Raises OutputUnavailable, SendingFailed.

        What was not acknowledged is given up: the tick is tried again, and sends it again.
        """
        if self._sender is None:
            return
        self._tell(CONFIRM)
        confirmed: Confirmed = pickle.loads(self._reach(receive))  # noqa: S301 - our own process
        self.spent["send"] = self._spent_before + confirmed.cpu_seconds
        if confirmed.error is not None:
            raise confirmed.error

    def close(self) -> None:
        """Ends the process, with all that was not confirmed."""
        if self._sender is not None:
            self._sender.connection.close()
            self._sender.process.kill()
            self._sender.process.wait()
        self._sender, self._spent_before = None, self.spent.get("send", 0.0)

    def _spawn(self) -> _Sender:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [*self._command, str(theirs.fileno())]
            process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()])
        ours.settimeout(self._seconds)
        return _Sender(process, ours)

    def _tell(self, message: bytes) -> None:
        self._reach(lambda connection: send(connection, message))

    def _reach(self, action: Callable[[socket.socket], _Answer]) -> _Answer:
        assert self._sender is not None  # noqa: S101 - for the type: it was started
        try:
            return action(self._sender.connection)
        except (OSError, EOFError) as error:
            self.close()
            raise OutputUnavailable(0, f"the process that sends rows to topics is away ({error!r})") from error
