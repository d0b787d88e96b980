"""Equal questions that come while one of them runs, and no core is free: those that wait share the next run.

Nobody gets an answer of a state from before the question: a run that has begun is never joined. So a dashboard that
many look at costs as much as one that two look at, and nobody waits while a core has nothing to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any

from infra.clickhouse.errors import QueryError
from infra.clickhouse.results import Send

_LONGEST = 1 << 20
_Messages = Sequence[Mapping[str, Any]]


class Sharing:
    """The runs of one server, by what is asked. `is_busy` tells whether no core is free for one more run.

    Belongs to the event loop's thread.
    """

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        self._is_busy = is_busy
        self._running: dict[Hashable, set[asyncio.Future[None]]] = {}
        self._waiting: dict[Hashable, asyncio.Future[_Messages | None]] = {}

    async def answer(self, question: Hashable, run: Callable[[Send], Awaitable[None]], send: Send) -> None:
        """Sends what a run of one's own gives, or one that began after this was called. Raises what the run raised."""
        waiting = self._waiting.get(question)
        if waiting is not None:
            answer = await asyncio.shield(waiting)
            await (run(send) if answer is None else _replay(answer, send))
        elif question in self._running and self._is_busy():
            await self._next(question, run, send)
        else:
            await self._now(question, run, send)

    async def _now(self, question: Hashable, run: Callable[[Send], Awaitable[None]], send: Send) -> None:
        over = asyncio.get_running_loop().create_future()
        running = self._running.setdefault(question, set())
        running.add(over)
        try:
            await run(send)
        finally:
            running.remove(over)
            if not running:
                del self._running[question]
            over.set_result(None)

    async def _next(self, question: Hashable, run: Callable[[Send], Awaitable[None]], send: Send) -> None:
        """Runs for all who ask until one of the present runs is over."""
        shared = self._waiting[question] = asyncio.get_running_loop().create_future()
        copy = _Copy(send)
        try:
            try:
                await asyncio.wait(self._running[question], return_when=asyncio.FIRST_COMPLETED)
            finally:
                del self._waiting[question]
            await self._now(question, run, copy)
            shared.set_result(copy.messages)
        except QueryError as error:
            shared.set_exception(error)
            shared.exception()
            raise
        finally:
            if not shared.done():
                shared.set_result(None)
        await copy.finish()


class _Copy:
    """Holds an answer back until it is complete, so that slow readers keep nobody waiting; lets a long one through."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._size = 0
        self.messages: list[Mapping[str, Any]] | None = []

    async def __call__(self, message: Mapping[str, Any]) -> None:
        if self.messages is None:
            await self._send(message)
            return
        self.messages.append(message)
        self._size += len(message.get("body", b""))
        if self._size > _LONGEST:
            held, self.messages = self.messages, None
            await _replay(held, self._send)

    async def finish(self) -> None:
        """Sends what was held back."""
        await _replay(self.messages or [], self._send)


async def _replay(messages: _Messages, send: Send) -> None:
    for message in messages:
        await send(message)
