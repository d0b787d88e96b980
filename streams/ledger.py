"""What has been handed on and what has been written: the only source of committed offsets."""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.errors import OverlappingSlice
from streams.slices import Slice

TopicPartition = tuple[str, int]


def by_topic(places: Collection[TopicPartition]) -> Iterator[tuple[str, list[int]]]:
    """Each topic, in order, with its partitions, in order."""
    for topic in sorted({topic for topic, _ in places}):
        yield topic, sorted(partition for of, partition in places if of == topic)


class Committable(NamedTuple):
    """A position that may be committed: all below `offset` is written, `append_time` is the greatest there (ms)."""

    offset: int
    append_time: int


@dataclass(slots=True)
class _Entry:
    first_offset: int
    next_offset: int
    append_time: int
    written: bool = False


@dataclass(slots=True)
class _Partition:
    generation: int
    delivered: int | None = None
    committable: Committable | None = None
    waiting: deque[_Entry] = field(default_factory=deque)


class Ledger:
    """Per partition, the slices delivered and not yet part of the written prefix.

    A generation is one uninterrupted hold of a partition. What belongs to a generation that was dropped is ignored, so
    a write that ends after its partition was lost moves nothing.
    """

    def __init__(self) -> None:
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._dropped: dict[TopicPartition, int] = {}

    def delivered(self, item: Slice, generation: int) -> bool:
        """Note a slice that is handed on; false if its generation was dropped.

        Raises OverlappingSlice if it begins before the end of the slice before it.
        """
        key = item.topic, item.partition
        if generation <= self._dropped.get(key, -1):
            return False
        at = self._partitions.setdefault(key, _Partition(generation))
        if at.delivered is not None and item.first_offset < at.delivered:
            raise OverlappingSlice(item, at.delivered)
        at.delivered = item.next_offset
        at.waiting.append(_Entry(item.first_offset, item.next_offset, item.append_times[-1]))
        return True

    def holds(self, item: Slice, generation: int) -> bool:
        """Whether the partition of the slice is still held since that generation."""
        at = self._partitions.get((item.topic, item.partition))
        return at is not None and at.generation == generation

    def written(self, item: Slice, generation: int) -> None:
        """Note that a slice is written whole; ignored if its generation was dropped."""
        at = self._partitions.get((item.topic, item.partition))
        if at is None or at.generation != generation:
            return
        for entry in at.waiting:
            if entry.first_offset == item.first_offset and entry.next_offset == item.next_offset:
                entry.written = True
                break
        while at.waiting and at.waiting[0].written:
            done = at.waiting.popleft()
            at.committable = Committable(done.next_offset, done.append_time)

    def dropped(self, partitions: Collection[TopicPartition], generation: int) -> None:
        """Forget these partitions: all generations up to and with this one."""
        for key in partitions:
            self._partitions.pop(key, None)
            self._dropped[key] = max(generation, self._dropped.get(key, -1))

    def committable(self, partition: TopicPartition) -> Committable | None:
        """The end of the longest written prefix of what was delivered, or None if nothing was written yet."""
        at = self._partitions.get(partition)
        return at.committable if at else None

    def partitions(self) -> list[TopicPartition]:
        """Partitions of which something was delivered."""
        return list(self._partitions)
