"""The tick: every so often, all pending slices of all partitions go to the engine at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from streams.errors import TickFailed, TickStuck
from streams.ledger import Ledger, TopicPartition
from streams.pending import Delivery, Pending
from streams.slices import Slice
from streams.thread import CallThreads

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
_LOOK_SECONDS = 0.05


class Engine(Protocol):
    """Turns slices into rows. Its methods are called from one thread, one at a time."""

    def tick(self, slices: Sequence[Slice]) -> None:
        """Process slices, of a partition in offset order, and write all rows and at last the progress.

        Whatever it raises means "not written": the same slices come again, or any other cut of them after a restart.
        What time mends (a store that does not answer) is tried again without end, anything else a few times.
        """

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        """Drop the memory of these partitions: they were lost, or are read again from the committed offset."""


@dataclass(frozen=True, slots=True)
class TickPolicy:
    """Times in seconds. `attempts` bounds the tries of a tick that fails for another reason than a missing store.

    A tick begins `interval` after the one before. Part of what it costs is the same for few records and many, so while
    fewer than `enough` wait, ticks may take no more than the `share` of the time, nor come later than `longest`.
    """

    interval: float = 0.2
    share: float = 0.8
    longest: float = 1.0
    enough: int = 40_000
    attempts: int = 5
    backoff_first: float = 0.1
    backoff_most: float = 5.0
    deadline: float = 600.0


@dataclass(slots=True)
class TickStats:
    """Since the start of the worker.

    `last_at` (Unix seconds) is when the last tick ended, `last_seconds` how long it took, `waiting_for` why the present
    one is tried again.
    """

    ticks: int = 0
    slices: int = 0
    records: int = 0
    last_at: float | None = None
    last_seconds: float = 0.0
    waiting_for: str | None = None


class Ticker:
    """Runs the ticks, and after each marks its slices as written. Used from the event loop only.

    `sleep` returns early when the worker is to stop, which `should_stop` tells. `clock` gives Unix seconds.
    `waits` are the errors that time mends: a tick that raises one is tried again without end.
    """

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        pending: Pending,
        policy: TickPolicy,
        *,
        should_stop: Callable[[], bool],
        sleep: Callable[[float], Awaitable[object]],
        clock: Callable[[], float],
        random: Random,
        waits: tuple[type[Exception], ...],
    ) -> None:
        self.stats = TickStats()
        self._engine, self._ledger, self._pending, self._policy = engine, ledger, pending, policy
        self._should_stop, self._sleep, self._clock, self._random = should_stop, sleep, clock, random
        self._waits = waits
        self._thread = CallThreads("ticks")
        self._to_forget: set[TopicPartition] = set()
        self._running: asyncio.Future[None] | None = None

    def lost(self, partitions: Collection[TopicPartition]) -> None:
        """Drop what waits of these partitions; the engine forgets them before its next tick."""
        self._pending.drop(partitions)
        self._to_forget.update(partitions)

    async def settle(self, timeout: float) -> None:
        """Wait for the tick that is being written, at most so many seconds."""
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=timeout)

    async def run(self) -> None:
        """Tick until the worker stops.

        Raises TickFailed or TickStuck if slices cannot be processed: they are never skipped.
        """
        while not self._should_stop():
            if not await self._pending.arrival(IDLE_SECONDS) and not self._to_forget:
                continue
            started = self._clock()
            await self._write(self._pending.take())
            await self._rest(started)

    async def _rest(self, started: float) -> None:
        took, policy = self._clock() - started, self._policy
        await self._sleep(max(0.0, policy.interval - took))
        due = started + min(took / policy.share, policy.longest)
        while self._pending.records < policy.enough and not (self._pending.full or self._should_stop()):
            left = due - self._clock()
            if left <= 0:
                return
            await self._sleep(min(left, _LOOK_SECONDS))

    async def _write(self, batch: list[Delivery]) -> None:
        waits, failures = 0, 0
        while not self._should_stop():
            batch = [d for d in batch if self._ledger.holds(d.item, d.generation)]
            error = await self._attempt(batch)
            self.stats.waiting_for = None if error is None else str(error) or repr(error)
            if error is None:
                return
            if not isinstance(error, self._waits):
                failures += 1
            if failures >= self._policy.attempts:
                raise TickFailed([d.item for d in batch], failures, repr(error)) from error
            waits += 1
            log.warning("tick of %d slices is tried again: %s", len(batch), self.stats.waiting_for)
            await self._sleep(self._backoff(waits))

    async def _attempt(self, batch: list[Delivery]) -> BaseException | None:
        slices = [d.item for d in batch]
        forgotten, self._to_forget = self._to_forget, set()
        started = self._clock()
        running = asyncio.wrap_future(self._thread.call(lambda: self._call_engine(slices, forgotten)))
        running.add_done_callback(lambda done: self._ended(done, batch, forgotten, started))
        self._running = running
        done, _ = await asyncio.wait({running}, timeout=self._policy.deadline)
        if not done:
            raise TickStuck(slices, self._policy.deadline)
        return running.exception()

    def _call_engine(self, slices: list[Slice], forgotten: set[TopicPartition]) -> None:
        for topic in sorted({topic for topic, _ in forgotten}):
            self._engine.forget(topic, sorted(p for t, p in forgotten if t == topic))
        if slices:
            self._engine.tick(slices)

    def _ended(
        self, done: asyncio.Future[None], batch: list[Delivery], forgotten: set[TopicPartition], started: float
    ) -> None:
        self._running = None
        if done.exception() is not None:
            self._to_forget |= forgotten
            return
        for delivery in batch:
            self._ledger.written(delivery.item, delivery.generation)
        if batch:
            self.stats.ticks += 1
            self.stats.slices += len(batch)
            self.stats.records += sum(len(d.item.offsets) for d in batch)
            self.stats.last_at = self._clock()
            self.stats.last_seconds = self.stats.last_at - started

    def _backoff(self, waits: int) -> float:
        """Doubles up to the most; jitter over its upper half, so that workers do not knock all at once."""
        longest = min(self._policy.backoff_most, self._policy.backoff_first * 2.0 ** min(waits, 30))
        return longest * self._random.uniform(0.5, 1.0)
