"""A workload: millions of realistic records in the order of their sending, made block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np

from infra.bench.templates import ID_DIGITS, TIME_BYTES, Bytes, Ints, SchemaIds, Templates, simulate, zigzag6
from schemas.topics import TRANSACTIONS, USER_EVENTS

_TEMPLATE_VISITS = 2_000
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_M32 = np.uint32(0x5BD1E995)


@dataclass(frozen=True)
class WorkloadSize:
    """`events` user events at `events_per_second` of event time, of visits of which about `open_visits` go on at once.

    A share `late` is sent up to `late_seconds` after it happened, a share `repeated` is sent twice.
    """

    events: int
    events_per_second: float = 50_000
    open_visits: int = 100_000
    products: int = 10_000
    late: float = 0.02
    late_seconds: float = 60.0
    repeated: float = 0.005


@dataclass(frozen=True)
class Block:
    """Consecutive records of one topic: encoded values, keys, and the partition of each."""

    topic: str
    keys: list[bytes]
    values: list[bytes]
    partitions: Ints

    def __len__(self) -> int:
        return len(self.values)


class Workload:
    """The records of one run; equal seeds make equal records but for `begin_ms`, the time of the first event.

    Visits and records of different seeds have different ids: else those of one run would go on with the visits of
    another, all of which the worker would have to read back.
    """

    def __init__(self, size: WorkloadSize, seed: int, begin_ms: int, schema_ids: SchemaIds, partitions: dict[str, int]):
        self.size = size
        events, orders = simulate(Random(seed), _TEMPLATE_VISITS, size.products, schema_ids)  # noqa: S311 - no secret
        per_visit = len(events.visit) / _TEMPLATE_VISITS
        visits = max(1, round(size.events / per_visit))
        scale = size.open_visits / (size.events_per_second / per_visit) * 1_000 / max(1.0, _mean_length(events))
        rng = np.random.default_rng(seed)
        starts = np.sort(rng.uniform(0, size.events / size.events_per_second * 1_000, visits))
        self._topics = [
            _Plan(templates, partitions[templates.topic], starts, scale, begin_ms, size, rng, seed)
            for templates in (events, orders)
        ]

    def blocks(self, records: int) -> Iterator[Block]:
        """All records, so many user events at a time, each time followed by the orders of the same while."""
        events, orders = self._topics
        done = 0
        for first in range(0, len(events), records):
            last = min(first + records, len(events))
            yield events.block(first, last)
            upto = int(np.searchsorted(orders.sent, events.sent[last - 1], side="right"))
            if upto > done:
                yield orders.block(done, upto)
                done = upto


def _mean_length(events: Templates) -> float:
    last = np.append(events.visit[1:] != events.visit[:-1], True)
    return float(events.offset_ms[last].mean())


class _Plan:
    """Which template each record of a topic copies, for which visit, and when it happens and is sent."""

    def __init__(
        self,
        templates: Templates,
        partitions: int,
        starts: np.ndarray,
        scale: float,
        begin_ms: int,
        size: WorkloadSize,
        rng: np.random.Generator,
        seed: int,
    ) -> None:
        self._t, self._partitions, self._salt = templates, partitions, 2 * seed
        which = np.arange(len(starts)) % _TEMPLATE_VISITS
        first = np.searchsorted(templates.visit, which)
        count = np.searchsorted(templates.visit, which, side="right") - first
        visit = np.repeat(np.arange(len(starts)), count)
        template = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(count.sum())
        happened = np.repeat(starts, count) + templates.offset_ms[template] * scale
        sent = happened + (rng.random(len(visit)) < size.late) * rng.uniform(0, size.late_seconds * 1_000, len(visit))
        again = np.flatnonzero(rng.random(len(visit)) < size.repeated)
        self._ident = np.concatenate([np.arange(len(visit)), again])
        self._visit, self._template = np.append(visit, visit[again]), np.append(template, template[again])
        self._time = begin_ms + np.append(happened, happened[again]).astype(np.int64)
        late = rng.uniform(0, size.late_seconds * 1_000, len(again))
        sent = np.append(sent, sent[again] + late)
        order = np.argsort(sent, kind="stable")
        self.sent = sent[order]
        self._ident, self._visit = self._ident[order], self._visit[order]
        self._template, self._time = self._template[order], self._time[order]
        self._by_user = templates.partitions_by_user(partitions)

    def __len__(self) -> int:
        return len(self.sent)

    def block(self, first: int, last: int) -> Block:
        t, chosen = self._t, self._template[first:last]
        lengths = t.lengths[chosen]
        ends = np.cumsum(lengths)
        begins = ends - lengths
        data = np.frombuffer(bytearray().join([t.records[number] for number in chosen.tolist()]), np.uint8)
        sessions = _hex(self._visit[first:last], self._salt)
        records = _hex(self._ident[first:last], self._salt + 1)
        _patch(data, begins + t.time[chosen], zigzag6(self._time[first:last]), TIME_BYTES)
        _patch(data, begins + t.record[chosen], records, ID_DIGITS)
        if t.topic == USER_EVENTS.name:
            _patch(data, begins + t.session[chosen], sessions, ID_DIGITS)
            keys, partitions = sessions, murmur2_16(sessions) % self._partitions
        else:
            keys = np.hstack([np.full((len(records), 1), ord("t"), np.uint8), records])
            partitions = self._by_user[chosen]
        raw, raw_keys, width = data.tobytes(), keys.tobytes(), keys.shape[1]
        return Block(
            t.topic,
            [raw_keys[at : at + width] for at in range(0, len(raw_keys), width)],
            [raw[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)],
            partitions,
        )


def _hex(numbers: Ints, salt: int) -> Bytes:
    """Sixteen digits for each number and salt (of which 16 bits count), always the same, spread evenly."""
    mixed = (numbers.astype(np.uint64) + np.uint64((salt & 0xFFFF) << 48)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    shifts = np.arange(60, -4, -4, dtype=np.uint64)
    return _HEX[((mixed[:, None] >> shifts) & np.uint64(15)).astype(np.int64)]


def _patch(data: Bytes, places: Ints, rows: Bytes, width: int) -> None:
    data[places[:, None] + np.arange(width)] = rows


def murmur2_16(keys: Bytes) -> Ints:
    """Kafka's hash of keys of 16 bytes, as its partitioner uses it; see `schemas.partitioner`."""
    words = np.ascontiguousarray(keys).view("<u4")
    state = np.full(len(keys), 0x9747B28C ^ ID_DIGITS, np.uint32)
    for column in words.T:
        word = column * _M32
        word = (word ^ (word >> np.uint32(24))) * _M32
        state = (state * _M32) ^ word
    state = (state ^ (state >> np.uint32(13))) * _M32
    return ((state ^ (state >> np.uint32(15))) & np.uint32(0x7FFFFFFF)).astype(np.int64)


__all__ = ["TRANSACTIONS", "USER_EVENTS", "Block", "Workload", "WorkloadSize", "murmur2_16"]
