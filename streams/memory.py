"""The speed layer's memory: a cache of stored events, which may be dropped between ticks at any time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from streams.orders import ORDER_IDENTITY, OrderChange
from streams.progress import Progress
from streams.records import TRANSACTIONS, USER_EVENTS
from streams.seen import Seen
from streams.sessions import SessionChange, SessionMemory

LEFT = 0.75
"""What an eviction leaves of a bound, so that the next one is far."""


@dataclass(frozen=True)
class MemoryLimits:
    """The most that one worker keeps; what is over is read back from the store when a record touches it.

    `groups` bounds sessions' groups, `events` the ids of their events; `orders` the transactions; `windows` the product
    counters.
    """

    groups: int = 1_500_000
    events: int = 15_000_000
    orders: int = 1_000_000
    windows: int = 2_000_000


class Memory:
    """What is known of stored facts: groups of sessions, orders, and how far all is applied."""

    def __init__(self, limits: MemoryLimits | None = None) -> None:
        self._limits = limits or MemoryLimits()
        self.sessions = SessionMemory()
        self.orders = Seen(ORDER_IDENTITY)
        self.progress: dict[tuple[str, int], Progress] = {}
        self.restored: set[tuple[str, int]] = set()
        self._ticks = 0

    @property
    def bytes(self) -> int:
        """About how much memory it takes."""
        return self.sessions.bytes + self.orders.bytes

    @property
    def stamp(self) -> int:
        """Grows with each tick: the age of what is remembered now."""
        return self._ticks

    def take_in(
        self,
        change: SessionChange,
        facts: OrderChange,
        after: Mapping[tuple[str, int], Progress],
    ) -> None:
        """Remembers the facts of a tick, when they are stored."""
        self._ticks += 1
        self.sessions.take_in(change.news, change.fragments, self._ticks)
        self.orders.take_in(facts.news, self._ticks)
        self.progress |= dict(after)
        self._evict()

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        """Drops all that is known of these partitions."""
        if topic == USER_EVENTS:
            self.sessions.keep(self.sessions.seen.of_other_partitions(partitions))
        elif topic == TRANSACTIONS:
            self.orders.keep(self.orders.of_other_partitions(partitions))
        for partition in partitions:
            self.progress.pop((topic, partition), None)
            self.restored.discard((topic, partition))

    def room(self) -> int:
        """How many more groups of sessions fit."""
        return max(0, int(LEFT * self._limits.groups) - len(self.sessions.seen))

    def _evict(self) -> None:
        """Drops the oldest whole groups and facts where a bound is exceeded."""
        limits, groups = self._limits, self.sessions.seen
        if len(groups) > limits.groups or groups.records > limits.events:
            share = min(limits.groups / len(groups), limits.events / max(1, groups.records))
            self.sessions.keep(groups.newest(int(LEFT * share * len(groups))))
        if len(self.orders) > limits.orders:
            self.orders.keep(self.orders.newest(int(LEFT * limits.orders)))
