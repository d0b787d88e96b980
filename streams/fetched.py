"""What a fetch brought of one partition, as columns.

Columns are made of a batch as soon as it is parsed: its records, an object each with some more inside, are gone before
the next batch takes their memory, instead of going through the processor's caches once more.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

LOG_APPEND_TIME = 1
_OFFSET, _KEY, _VALUE = map(attrgetter, ("offset", "key", "value"))


def _numbers() -> array[int]:
    return array("q")


@dataclass(slots=True)
class Fetched:
    """Consecutive records of a partition, an entry of each column for each of them.

    `append_times` are ms by the broker's clock; where it left that to the producers, `by_producer` is the offset of the
    first record that has a producer's time.
    """

    offsets: array[int] = field(default_factory=_numbers)
    append_times: array[int] = field(default_factory=_numbers)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    by_producer: int | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    def add(self, following: Fetched) -> None:
        """Takes in what follows."""
        self.offsets += following.offsets
        self.append_times += following.append_times
        self.keys += following.keys
        self.values += following.values
        if self.by_producer is None:
            self.by_producer = following.by_producer

    def part(self, start: int, end: int | None = None) -> Fetched:
        """Those from one place to below another, by themselves."""
        chosen = slice(start, end)
        columns = self.offsets[chosen], self.append_times[chosen], self.keys[chosen], self.values[chosen]
        return Fetched(*columns, self.by_producer)

    def from_offset(self, offset: int) -> Fetched:
        """Those at an offset and above."""
        place = bisect_left(self.offsets, offset)
        return self.part(place) if place else self


def columns_of(records: Sequence[Any]) -> Fetched:
    """The records of one batch, as the client parses them: either all of them have the time of the batch, or none."""
    if not records:
        return Fetched()
    first = records[0]
    return Fetched(
        _offsets(records),
        array("q", (first.timestamp,)) * len(records),
        list(map(_KEY, records)),
        list(map(_VALUE, records)),
        None if first.timestamp_type == LOG_APPEND_TIME else first.offset,
    )


def _offsets(records: Sequence[Any]) -> array[int]:
    """They ascend, and have gaps only where compaction has been."""
    first, last = records[0].offset, records[-1].offset
    is_whole = last - first == len(records) - 1
    return array("q", range(first, last + 1) if is_whole else map(_OFFSET, records))
