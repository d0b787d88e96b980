"""The way of the rows: the engine writes a format into a pipe, the event loop reads what is there."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os

_CAPACITY = 1 << 20


class Pipe:
    """A pipe whose writing end the engine opens by its `path`; the loop reads without ever blocking."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read, False)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._write, fcntl.F_SETPIPE_SZ, _CAPACITY)
        self.path = f"/proc/self/fd/{self._write}"

    def read(self) -> bytes:
        """What is in the pipe now; empty when nothing is."""
        try:
            return os.read(self._read, _CAPACITY)
        except BlockingIOError:
            return b""

    async def ready_or(self, job: asyncio.Future[None]) -> None:
        """Returns when there is something to read, or the writer's job is done."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._read, ready.set)
        job.add_done_callback(lambda _: ready.set())
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._read)

    def stop(self) -> None:
        """Takes the reader away: the engine's next write fails, and so does its query."""
        if self._read >= 0:
            os.close(self._read)
            self._read = -1

    def close(self) -> None:
        """Closes both ends; the writer must have finished."""
        self.stop()
        os.close(self._write)
