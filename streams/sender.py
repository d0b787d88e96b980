"""The process that sends a worker's rows to topics, started by `streams.outbox`: `python -m streams.sender FD`.

FD is its end of a socket pair, over which the configuration of Kafka's client comes first. It ends as soon as the
worker has: what was not sent by then is sent again by whoever reads the worker's partitions next.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
from socket import socket
from threading import Thread

from infra.allocation import collect_rarely
from streams.framing import receive
from streams.outputs import Outputs
from streams.sending import serve

_NICE = 10
"""Analysts wait for the worker and the store, which come first where there are too few cores for all of it."""


def main() -> None:
    """Serves the worker at the other end. Signals to a whole group are the worker's to obey: it has rows to send."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    worker = socket(fileno=int(sys.argv[1]))
    end_with(worker)
    os.nice(_NICE)
    collect_rarely()
    serve(worker, Outputs(pickle.loads(receive(worker))))  # noqa: S301 - from the worker that started this process


def end_with(worker: socket) -> None:
    """From now on this process ends when the other end is closed, also while it waits for a broker."""
    Thread(target=_end_with, args=(worker,), daemon=True).start()


def _end_with(worker: socket) -> None:
    hung_up = select.poll()
    hung_up.register(worker, 0)
    hung_up.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
