"""Rows of several tables are inserted side by side: most of what an insert takes is waiting for the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed, wait
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue

from infra.clients.clickhouse import Client, insert
from streams.stages import Stages
from streams.thread import CallThreads
from streams.writes import Write


class Writer:
    """Inserts over some connections, each used by one thread at a time. `stages` takes the CPU seconds by table."""

    def __init__(self, clients: Sequence[Client], stages: Stages) -> None:
        self._threads = CallThreads("writes", len(clients))
        self._idle: SimpleQueue[Client] = SimpleQueue()
        self._stages = stages
        for client in clients:
            self._idle.put(client)

    @contextmanager
    def __call__(self, writes: Sequence[Write]) -> Iterator[Iterator[Write]]:
        """Begins to write; in the block are the writes, each when its rows are acknowledged.

        The block ends when all inserts have, and raises what one of them raised: none is left to write while the tick
        is tried again.
        """
        running = {self._threads.call(partial(self._insert, write)): write for write in writes}
        try:
            yield _acknowledged(running)
        finally:
            wait(running)
        for ended in running:
            ended.result()

    def _insert(self, write: Write) -> None:
        client = self._idle.get()
        try:
            with self._stages(f"insert {write.table}"):
                insert(client, write.table, write.rows)
        finally:
            self._idle.put(client)


def _acknowledged(running: Mapping[Future[None], Write]) -> Iterator[Write]:
    for done in as_completed(running):
        done.result()
        yield running[done]
