"""Rows of several tables are inserted side by side: most of what an insert takes is waiting for the store."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from concurrent.futures import Future, as_completed, wait
from functools import partial
from queue import SimpleQueue

from infra.clients.clickhouse import Client, insert
from streams.stages import Stages
from streams.thread import CallThreads
from streams.writes import Write, Writes


class Writing:
    """Writes that are under way."""

    def __init__(self, running: Mapping[Future[None], Write]) -> None:
        self._running = running

    def acknowledged(self) -> Generator[Write, None, None]:
        """The writes, each when its rows are; raises what an insert raised, when all have ended.

        So none is left to write while the same rows are written again.
        """
        try:
            for done in as_completed(self._running):
                done.result()
                yield self._running[done]
        finally:
            wait(self._running)

    def end(self, but: Collection[str] = ()) -> None:
        """Returns when the rows of all tables but some are acknowledged; raises as `acknowledged`."""
        awaited = [each for each, write in self._running.items() if write.table not in but]
        wait(awaited)
        failed = next((each for each in awaited if each.exception() is not None), None)
        if failed is not None:
            wait(self._running)
            failed.result()

    def failed(self) -> bool:
        """Whether an insert has failed, when all have ended."""
        wait(self._running)
        return any(each.exception() is not None for each in self._running)


class Writer:
    """Inserts over some connections, each used by one thread at a time. `stages` takes the CPU seconds by table."""

    def __init__(self, clients: Sequence[Client], stages: Stages) -> None:
        self._threads = CallThreads("writes", len(clients))
        self._idle: SimpleQueue[Client] = SimpleQueue()
        self._stages = stages
        for client in clients:
            self._idle.put(client)

    def __call__(self, writes: Writes) -> Writing:
        """Begins to write."""
        return Writing({self._threads.call(partial(self._insert, write)): write for write in writes})

    def _insert(self, write: Write) -> None:
        client = self._idle.get()
        try:
            with self._stages(f"insert {write.table}"):
                insert(client, write.table, write.rows)
        finally:
            self._idle.put(client)
