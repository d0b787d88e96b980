"""Calls that block, in a thread of their own, and how often one that failed is tried again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from streams.errors import TickFailed, TickStuck
from streams.slices import Slice
from streams.thread import CallThreads

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds. `attempts` bounds the tries of a call that fails for a reason that time does not mend."""

    attempts: int = 5
    backoff_first: float = 0.1
    backoff_most: float = 5.0
    deadline: float = 600.0

    def pause(self, failures: int, random: Random) -> float:
        """Doubles up to the most; jitter over its upper half, so that workers do not knock all at once."""
        longest = min(self.backoff_most, self.backoff_first * 2.0 ** min(failures, 30))
        return longest * random.uniform(0.5, 1.0)


class Trying:
    """Calls of one kind, one at a time. Used from the event loop only.

    `waits` are the errors that time mends: what raises one is tried again without end. `waiting_for` is why the present
    call is tried again. `sleep` returns early when the worker is to stop.
    """

    def __init__(
        self,
        name: str,
        patience: Patience,
        waits: tuple[type[Exception], ...],
        sleep: Callable[[float], Awaitable[object]],
        random: Random,
    ) -> None:
        self.waiting_for: str | None = None
        self._name, self._patience, self._waits, self._sleep, self._random = name, patience, waits, sleep, random
        self._thread = CallThreads(name)
        self._running: asyncio.Future[None] | None = None
        self._failures = self._bugs = 0

    async def attempt(
        self, call: Callable[[], _Result], succeeded: Callable[[_Result], None], slices: Sequence[Slice]
    ) -> BaseException | None:
        """Makes the call; what it returns goes to `succeeded`, what it raises is the answer.

        Raises TickStuck, which names the slices, past the deadline.
        """
        running = asyncio.wrap_future(self._thread.call(call))
        self._running = ended = asyncio.ensure_future(self._ended(running, succeeded))
        done, _ = await asyncio.wait({ended}, timeout=self._patience.deadline)
        if not done:
            raise TickStuck(slices, self._patience.deadline)
        return running.exception()

    async def settle(self, timeout: float) -> None:
        """Waits for the call that is under way, at most so many seconds."""
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=timeout)

    async def rest(self, error: BaseException, slices: Sequence[Slice]) -> None:
        """Waits before the next try. Raises TickFailed, which names the slices, where there are to be no more."""
        if not isinstance(error, self._waits):
            self._bugs += 1
        if self._bugs >= self._patience.attempts:
            raise TickFailed(slices, self._bugs, repr(error)) from error
        self._failures += 1
        log.warning("%s of %d slices is tried again: %s", self._name, len(slices), self.waiting_for)
        await self._sleep(self._patience.pause(self._failures, self._random))

    async def _ended(self, running: asyncio.Future[_Result], succeeded: Callable[[_Result], None]) -> None:
        await asyncio.wait({running})
        self._running = None
        error = running.exception()
        self.waiting_for = None if error is None else str(error) or repr(error)
        if error is None:
            self._failures = self._bugs = 0
            succeeded(running.result())
