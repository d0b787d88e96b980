"""Records by whole batches are those that the client itself gives one by one; and how long its fetches are held."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from streams.client import RawRecords, SliceThread
from streams.hold import TransportOptions

_LZ4 = 3
_PARTITION = TopicPartition("user-events", 0)


def _batch(first: int, count: int) -> bytes:
    """A batch as a broker has it: its offsets begin where it lies in the log."""
    builder = DefaultRecordBatchBuilder(2, _LZ4, 0, -1, -1, 0, 1 << 20)
    for number in range(count):
        builder.append(number, 1_700_000_000_000, b"%d" % (first + number), b"v" * 40, [])
    built = bytes(builder.build())
    return first.to_bytes(8, "big") + built[8:]


_FETCHED = _batch(100, 7) + _batch(107, 1) + _batch(120, 5)
"""Nothing lies at 108 to 119: compaction took it."""


def _reader(kind: type[PartitionRecords], begin: int, fetched: bytes = _FETCHED) -> PartitionRecords:
    return kind(_PARTITION, MemoryRecords(fetched), [], begin, None, None, True, 0)


@pytest.mark.parametrize("most", [None, 1, 3, 7, 100])
@pytest.mark.parametrize("begin", [100, 103, 107, 110, 121])
def test_batches_give_the_same_records_from_any_offset_in_parts_of_any_size(begin: int, most: int | None) -> None:
    one_by_one = _reader(PartitionRecords, begin)
    expected = [(record.offset, record.timestamp, record.key, record.value) for record in one_by_one]
    records, found = _reader(RawRecords, begin), list[tuple[int, int, bytes, bytes]]()
    while not records.done:
        part = records.take(most)
        found += zip(part.offsets, part.append_times, part.keys, part.values, strict=True)
        assert most is None or len(part) <= most
        assert found == expected[: len(found)]
        assert all(offset < records.next_fetch_offset for offset, *_ in found)
        assert records.next_fetch_offset <= (expected[len(found)][0] if found != expected else 125)
    assert found == expected
    assert records.next_fetch_offset == one_by_one.next_fetch_offset == 125


def test_a_damaged_batch_is_no_records() -> None:
    damaged = _FETCHED[:-1] + bytes([_FETCHED[-1] ^ 1])
    with pytest.raises(CorruptRecordException):
        _reader(RawRecords, 100, damaged).take(None)


@pytest.mark.servers
async def test_fetches_are_held_as_long_as_the_thread_is_told(kafka: str) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id="held", fetch_max_wait_ms=500)
    thread: Any = SimpleNamespace(_consumer=consumer)
    SliceThread.hold_fetches(thread, 170)
    await consumer.start()
    try:
        assert consumer._fetcher._fetch_max_wait_ms == 500
        SliceThread.hold_fetches(thread, 170)
        assert consumer._fetcher._fetch_max_wait_ms == 170
    finally:
        await consumer.stop()


@pytest.mark.parametrize(("seconds", "milliseconds"), [(0, 100), (0.15, 150), (9, 200)])
def test_the_wait_of_a_fetch_is_bounded(seconds: float, milliseconds: int) -> None:
    assert TransportOptions(least_wait=0.1, most_wait=0.2).wait_ms(seconds) == milliseconds
