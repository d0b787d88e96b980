"""The tick: every so often, all pending slices of all partitions go to the engine at once.

Its second half comes when the one before is done, and no more often than it has to: one for all ticks that wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Generic, Protocol, TypeVar

from streams.ledger import Ledger, TopicPartition, by_topic
from streams.pending import Delivery, Pending
from streams.slices import Slice
from streams.trying import Patience, Trying

IDLE_SECONDS = 0.5
_LOOK_SECONDS = 0.05
_NEW_SHARE = 0.2
"""Of the last tick, in the mean of how soon they may follow each other."""
_SPARE = 1.2
"""Fetches come a little later than ticks could begin: so a tick waits for its fetch, and no fetch for a tick."""

Begun = TypeVar("Begun")


class Engine(Protocol[Begun]):
    """Turns slices into rows, in two halves.

    What a half raises means "not done": it is done again, or after a restart the same slices come in any other cut.
    What time mends (a store that does not answer) is tried again without end, anything else a few times.
    """

    def begin(self, slices: Sequence[Slice]) -> Begun:
        """The first half, of slices that are of a partition in offset order. Called from one thread."""

    def follows(self, begun: Begun) -> bool:
        """Whether the second half of a tick can be done together with that of the one before it."""

    def finish(self, ticks: Sequence[Begun]) -> None:
        """The second half of ticks in a row: write all rows and at last the progress. Called from one thread."""

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        """Drop the memory of these partitions: they were lost, or are read again from the committed offset.

        Called from the thread that begins.
        """


@dataclass(frozen=True, slots=True)
class TickPolicy:
    """Times in seconds.

    A tick begins `gather` after the first records, since a fetch brings them topic by topic, and `interval` after the
    tick before at least. Part of what it costs is the same for few records and many, so while fewer than `enough` wait,
    ticks may take no more than the `share` of the time, nor come later than `longest`.
    Second halves begin `finish_interval` after each other; no tick begins while `ahead` records wait for theirs.
    """

    gather: float = 0.01
    interval: float = 0.1
    finish_interval: float = 0.5
    ahead: int = 100_000
    share: float = 0.8
    longest: float = 1.0
    enough: int = 40_000
    patience: Patience = field(default_factory=Patience)


@dataclass(slots=True)
class TickStats:
    """Since the start of the worker.

    `last_at` (Unix seconds) is when the last tick ended, `last_seconds` how long it took.
    """

    ticks: int = 0
    slices: int = 0
    records: int = 0
    last_at: float | None = None
    last_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Begun]):
    """A tick that waits for its second half."""

    begun: Begun
    batch: Sequence[Delivery]
    started: float

    @property
    def slices(self) -> list[Slice]:
        return [delivery.item for delivery in self.batch]

    @property
    def records(self) -> int:
        return sum(len(each.offsets) for each in self.slices)


class Ticker(Generic[Begun]):
    """Runs the ticks, and after each marks its slices as written. Used from the event loop only.

    `sleep` returns early when the worker is to stop, which `should_stop` tells. `clock` gives Unix seconds.
    `waits` are the errors that time mends. `pace` is told after each tick how many seconds fetches
    are to come after each other, so that what a tick takes has just come.
    """

    def __init__(
        self,
        engine: Engine[Begun],
        ledger: Ledger,
        pending: Pending,
        policy: TickPolicy,
        *,
        should_stop: Callable[[], bool],
        sleep: Callable[[float], Awaitable[object]],
        clock: Callable[[], float],
        random: Random,
        waits: tuple[type[Exception], ...],
        pace: Callable[[float], None],
    ) -> None:
        self.stats = TickStats()
        self._engine, self._ledger, self._pending, self._policy = engine, ledger, pending, policy
        self._should_stop, self._sleep, self._clock, self._pace = should_stop, sleep, clock, pace
        self._period = policy.interval
        self._begins = Trying("the first half", policy.patience, waits, sleep, random)
        self._finishes = Trying("the second half", policy.patience, waits, sleep, random)
        self._waiting: deque[_Waiting[Begun]] = deque()
        self._finishing: asyncio.Future[None] | None = None
        self._finish_due = 0.0
        self._to_forget: set[TopicPartition] = set()

    @property
    def waiting_for(self) -> str | None:
        """Why the present tick is tried again."""
        return self._finishes.waiting_for or self._begins.waiting_for

    def lost(self, partitions: Collection[TopicPartition]) -> None:
        """Drop what waits of these partitions; the engine forgets them before its next tick."""
        self._pending.drop(partitions)
        self._to_forget.update(partitions)

    async def settle(self, timeout: float) -> None:
        """Wait for what is being written, at most so many seconds."""
        await asyncio.gather(self._begins.settle(timeout), self._finishes.settle(timeout))

    async def run(self) -> None:
        """Tick until the worker stops.

        Raises TickFailed or TickStuck if slices cannot be processed: they are never skipped.
        """
        while not self._should_stop():
            self._look_at_the_second_half()
            is_idle = not self._pending.slices
            if not await self._pending.arrival(IDLE_SECONDS) and not self._to_forget:
                continue
            if is_idle:
                await self._sleep(self._policy.gather)
            started = self._clock()
            if sum(tick.records for tick in self._waiting) >= self._policy.ahead:
                await self._finished()
            await self._begin(self._pending.take(), started)
            await self._rest(started)
        await self._finished()

    async def _rest(self, started: float) -> None:
        took, policy = self._clock() - started, self._policy
        rest = min(took / policy.share, policy.longest)
        self._period += (max(rest, policy.interval) - self._period) * _NEW_SHARE
        self._pace(self._period * _SPARE)
        await self._sleep(max(0.0, policy.interval - took))
        while self._pending.records < policy.enough and not (self._pending.full or self._should_stop()):
            left = started + rest - self._clock()
            if left <= 0:
                return
            await self._sleep(min(left, _LOOK_SECONDS))

    async def _begin(self, batch: Sequence[Delivery], started: float) -> None:
        while not self._should_stop():
            batch = [d for d in batch if self._ledger.holds(d.item, d.generation)]
            slices = [d.item for d in batch]
            forgotten, self._to_forget = self._to_forget, set()
            begin, begun = partial(self._call_begin, slices, forgotten), partial(self._began, batch, started)
            error = await self._begins.attempt(begin, begun, slices)
            if error is None:
                return
            self._to_forget |= forgotten
            self._look_at_the_second_half()
            await self._begins.rest(error, slices)

    def _call_begin(self, slices: Sequence[Slice], forgotten: Collection[TopicPartition]) -> Begun | None:
        for topic, partitions in by_topic(forgotten):
            self._engine.forget(topic, partitions)
        return self._engine.begin(slices) if slices else None

    def _began(self, batch: Sequence[Delivery], started: float, begun: Begun | None) -> None:
        if begun is None:
            return
        read = [Delivery(each.item.without_bytes(), each.generation) for each in batch]
        self._waiting.append(_Waiting(begun, read, started))
        if self._finishing is None or (self._finishing.done() and self._finishing.exception() is None):
            self._finishing = asyncio.ensure_future(self._finish_all())

    async def _finish_all(self) -> None:
        """Second halves, until no tick waits for one; none past one that is given up, since the worker is to stop."""
        is_whole = True
        while self._waiting and is_whole:
            while not self._should_stop() and (left := self._finish_due - self._clock()) > 0:
                await self._sleep(left)
            self._finish_due = self._clock() + self._policy.finish_interval
            ticks = [self._waiting.popleft()]
            while self._waiting and self._engine.follows(self._waiting[0].begun):
                ticks.append(self._waiting.popleft())
            is_whole = await self._finish(ticks)

    async def _finish(self, ticks: Sequence[_Waiting[Begun]]) -> bool:
        """Whether it is done."""
        slices = [item for tick in ticks for item in tick.slices]
        finish = partial(self._engine.finish, [tick.begun for tick in ticks])
        while True:
            error = await self._finishes.attempt(finish, lambda _: self._written(ticks), slices)
            if error is None or self._should_stop():
                return error is None
            await self._finishes.rest(error, slices)

    def _written(self, ticks: Sequence[_Waiting[Begun]]) -> None:
        for delivery in (each for tick in ticks for each in tick.batch):
            self._ledger.written(delivery.item, delivery.generation)
        self.stats.ticks += len(ticks)
        self.stats.slices += sum(len(tick.batch) for tick in ticks)
        self.stats.records += sum(tick.records for tick in ticks)
        self.stats.last_at = self._clock()
        self.stats.last_seconds = self.stats.last_at - ticks[-1].started

    def _look_at_the_second_half(self) -> None:
        """Raises what ended it, without waiting for it."""
        if self._finishing is not None and self._finishing.done():
            self._finishing.result()

    async def _finished(self) -> None:
        """Returns when all ticks that began are finished; raises what ended that."""
        if self._finishing is not None:
            await self._finishing
