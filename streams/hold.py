"""What the transport needs to know of the logs it reads, and what it tells of the partitions it holds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from streams.ledger import Committable, TopicPartition
from streams.slices import SliceLimits


class Listener(Protocol):
    """Who is told when partitions come and go. Called from the event loop."""

    async def verify(self) -> None:
        """Called before the reading of an assignment begins; raises LogRefused if a log is not the one known."""

    async def applied(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Committable] | None:
        """How far the store holds each partition whole, where it holds anything; None if that is not known."""

    async def settle(self, timeout: float) -> None:
        """Wait for what is being written, at most so many seconds."""

    def lost(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions were revoked, or are read again: what is held of them is void."""

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """The worker has its partitions and reads them from their committed offsets."""


@dataclass(frozen=True, slots=True)
class Log:
    """An input topic: its epoch, and the partition count and topic id that the epoch is bound to."""

    epoch: int
    partitions: int
    topic_id: str


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """Times in seconds. The broker holds a fetch until it has `fetch_bytes`, or it is time for the next tick, but from
    `least_wait` to `most_wait`: each partition in an answer has a price of its own, and what comes right after it waits
    for another one. `settle` is how long a tick may hold up a rebalance or the end of the worker."""

    limits: SliceLimits = field(default_factory=SliceLimits)
    least_wait: float = 0.1
    most_wait: float = 0.25
    fetch_bytes: int = 2 << 20
    commit_timeout: float = 5.0
    settle: float = 5.0

    def wait_ms(self, seconds: float) -> int:
        """How long the broker is to hold a fetch where the next tick is so far away."""
        return round(min(max(seconds, self.least_wait), self.most_wait) * 1000)


@dataclass(frozen=True, slots=True)
class Position:
    """A partition: read from `begin` to below `read`, written below `written`; the log ends at `end`, if known yet."""

    topic: str
    partition: int
    begin: int
    read: int
    written: int
    end: int | None
