"""A slice: the consecutive records of one partition that one fetch brought."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import cast

MS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Slice:
    """Raw records of one partition, in offset order, none left out of `[first_offset, next_offset)`.

    `first_offset` may lie below `offsets[0]` and offsets may have gaps: records that compaction removed, or control
    records. Consecutive slices of a partition tile the log (`next_offset` of one is `first_offset` of the next); a
    `first_offset` past that is a hole: the log no longer held the records between.

    Columns, one entry per record: `offsets`; `append_times` (Kafka's log append time in ms, the greatest at or below
    the offset); `keys` and `values` (raw bytes, or null). Never empty. `size` is the bytes of all keys and values.
    """

    topic: str
    epoch: int
    partition: int
    first_offset: int
    next_offset: int
    offsets: Sequence[int]
    append_times: Sequence[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    size: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Adds up the size, which is asked for wherever the slice waits."""
        object.__setattr__(self, "size", _lengths(self.keys) + _lengths(self.values))

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}[{self.first_offset}..{self.next_offset})"

    def without_bytes(self) -> Slice:
        """The same range of the log, when its records have been read: keys and values are gone."""
        return replace(self, keys=[], values=[])


@dataclass(frozen=True, slots=True)
class SliceLimits:
    """The most that one slice may hold; a single record larger than `bytes` is a slice of its own."""

    records: int = 20_000
    bytes: int = 8 << 20


def cut_at_day_change(fetched: Slice, append_floor: int, limits: SliceLimits) -> list[Slice]:
    """Cut a raw fetch into slices within `limits`, none of which spans a change of the append-time UTC day.

    `fetched.append_times` are the broker's own; those of the answer are made monotone. `append_floor` is the greatest
    append time (ms) of any record before the fetch, 0 if there is none. The slices tile the range of the fetch.
    """
    times = _monotone(fetched.append_times, append_floor)
    starts = list(_starts(fetched, times, limits))
    if len(starts) == 1 and times is fetched.append_times:
        return [fetched]
    ends = [*starts[1:], len(times)]
    return [_piece(fetched, times, start, end) for start, end in zip(starts, ends, strict=True)]


def _monotone(times: Sequence[int], floor: int) -> Sequence[int]:
    """Each time, or the greatest before it; they are so already unless the broker's clock went back."""
    if times[0] >= floor and list(times) == sorted(times):
        return times
    return list(accumulate(times, max, initial=floor))[1:]


def _starts(fetched: Slice, times: Sequence[int], limits: SliceLimits) -> Iterator[int]:
    """Indexes at which a slice begins: 0, and wherever the day changes or the slice before is full."""
    start, size = 0, 0
    yield start
    one_day = times[0] // MS_PER_DAY == times[-1] // MS_PER_DAY
    if one_day and len(times) <= limits.records and fetched.size <= limits.bytes:
        return
    for i, (time, key, value) in enumerate(zip(times, fetched.keys, fetched.values, strict=True)):
        record = _length(key) + _length(value)
        full = i - start >= limits.records or size + record > limits.bytes
        if i > start and (full or time // MS_PER_DAY != times[start] // MS_PER_DAY):
            start, size = i, 0
            yield start
        size += record


def _piece(fetched: Slice, times: Sequence[int], start: int, end: int) -> Slice:
    last = end == len(times)
    return Slice(
        topic=fetched.topic,
        epoch=fetched.epoch,
        partition=fetched.partition,
        first_offset=fetched.offsets[start] if start else fetched.first_offset,
        next_offset=fetched.next_offset if last else fetched.offsets[end],
        offsets=fetched.offsets[start:end],
        append_times=times[start:end],
        keys=fetched.keys[start:end],
        values=fetched.values[start:end],
    )


def _lengths(raws: list[bytes | None]) -> int:
    try:
        return sum(map(len, cast("list[bytes]", raws)))
    except TypeError:  # dearer to look for than to run into: nulls are rare
        return sum(map(_length, raws))


def _length(raw: bytes | None) -> int:
    return 0 if raw is None else len(raw)
