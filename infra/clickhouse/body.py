"""A request's body, handed from the event loop that receives it to the thread that reads it."""

from __future__ import annotations

import asyncio
import io
import threading
from collections import deque

_HIGH_WATER = 8 << 20
_PATIENCE_S = 300.0


class BodyAborted(Exception):
    """The client went away, or was silent for too long, before the body was complete."""


class Body(io.RawIOBase):
    """A readable stream of what `feed` gets; `feed` waits while too much of it is unread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._aborted = False
        self._changed = threading.Condition()
        self._drained = asyncio.Event()

    async def feed(self, chunk: bytes, last: bool) -> None:
        """Adds a chunk; returns when there is room for the next."""
        self._drained.clear()
        with self._changed:
            self._chunks.append(chunk)
            self._size += len(chunk)
            self._ended = last
            full = self._size > _HIGH_WATER
            self._changed.notify()
        if full:
            await self._drained.wait()

    def abort(self) -> None:
        """Makes the reader raise `BodyAborted`."""
        with self._changed:
            self._aborted = True
            self._changed.notify()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fills the buffer from the next chunk; 0 at the end of the body."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # the base class types it by a protocol
        with self._changed:
            if not self._changed.wait_for(lambda: self._chunks or self._ended or self._aborted, _PATIENCE_S):
                raise BodyAborted
            if self._aborted:
                raise BodyAborted
            if not self._chunks:
                return 0
            chunk = self._chunks.popleft()
            taken = min(len(chunk), len(view))
            if taken < len(chunk):
                self._chunks.appendleft(chunk[taken:])
            was_full = self._size > _HIGH_WATER
            self._size -= taken
            if was_full and self._size <= _HIGH_WATER:
                self._loop.call_soon_threadsafe(self._drained.set)
        view[:taken] = chunk[:taken]
        return taken
