"""The bounded buffer between intake and ticks; a full one stops the intake."""

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from streams.ledger import Ledger, TopicPartition
from streams.slices import MS_PER_DAY, Slice


@dataclass(frozen=True, slots=True)
class Delivery:
    """A slice and the generation under which it was read."""

    item: Slice
    generation: int


@dataclass(frozen=True, slots=True)
class PendingLimits:
    """Intake stops at this much; the buffer may overshoot by one slice of each topic."""

    records: int = 200_000
    bytes: int = 64 << 20


class Pending:
    """Slices that wait for the next tick. Used from the event loop only."""

    def __init__(self, ledger: Ledger, limits: PendingLimits) -> None:
        self._ledger, self._limits = ledger, limits
        self._waiting: list[Delivery] = []
        self._records = self._bytes = 0
        self._arrived, self._room = asyncio.Event(), asyncio.Event()
        self._show()

    @property
    def slices(self) -> int:
        """Slices waiting."""
        return len(self._waiting)

    @property
    def records(self) -> int:
        """Records waiting."""
        return self._records

    @property
    def full(self) -> bool:
        """Whether the intake is stopped."""
        return not self._room.is_set()

    async def put(self, deliveries: Sequence[Delivery]) -> None:
        """Add slices, each after there is room; a slice whose partition was lost meanwhile is let go."""
        for delivery in deliveries:
            await self._room.wait()
            if self._ledger.holds(delivery.item, delivery.generation):
                self._waiting.append(delivery)
                self._records += len(delivery.item.offsets)
                self._bytes += delivery.item.size
                self._show()

    async def arrival(self, timeout: float) -> bool:
        """Wait until slices are there, at most so many seconds; whether there are."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), timeout)
        return bool(self._waiting)

    def take(self) -> list[Delivery]:
        """What waits, of each partition up to a change of the append-time UTC day; which makes room.

        That midnight may end the horizon of a day: past it no row of the day is written, before it every one is.
        """
        days: dict[TopicPartition, int] = {}
        taken, left = list[Delivery](), list[Delivery]()
        for delivery in self._waiting:
            item = delivery.item
            day = item.append_times[0] // MS_PER_DAY
            is_next = days.setdefault((item.topic, item.partition), day) == day
            (taken if is_next else left).append(delivery)
        self._keep(left)
        return taken

    def drop(self, partitions: Collection[TopicPartition]) -> None:
        """Let go of the slices of these partitions."""
        lost = set(partitions)
        self._keep(d for d in self._waiting if (d.item.topic, d.item.partition) not in lost)

    def _keep(self, waiting: Iterable[Delivery]) -> None:
        self._waiting = list(waiting)
        self._records = sum(len(d.item.offsets) for d in self._waiting)
        self._bytes = sum(d.item.size for d in self._waiting)
        self._show()

    def _show(self) -> None:
        _set(self._arrived, bool(self._waiting))
        _set(self._room, self._records < self._limits.records and self._bytes < self._limits.bytes)


def _set(event: asyncio.Event, state: bool) -> None:
    if state:
        event.set()
    else:
        event.clear()
