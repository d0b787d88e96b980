"""The consumer over a broker that is a dictionary: what it delivers, and what it commits."""

import asyncio
from array import array
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from faust.types import TP

from infra.settings import Kafka
from streams.app import Wiring, WorkerOptions
from streams.errors import AnotherLog, LogRefused, NotAppendTime, PartitionsChanged
from streams.fetched import Fetched, columns_of
from streams.hold import Log, TransportOptions
from streams.ledger import Committable
from streams.slices import Slice, SliceLimits
from streams.transport import SliceConsumer
from tests.streams.test_ticking import Scripted

ONE = TP("events", 0)
TWO = TP("events", 1)


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int = 1_000
    timestamp_type: int = 1
    key: bytes | None = b"k"
    value: bytes | None = b"v"


def records(first: int, end: int, **given: Any) -> Fetched:
    return columns_of([Record(offset, **given) for offset in range(first, end)])


class FakeBroker:
    """Stands in for the client's thread. `fetches` are answered in order; seeks and commits are noted."""

    def __init__(self, consumer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.consumer = consumer
        self.fetches: list[dict[TP, Fetched]] = []
        self.committed: dict[TP, Committable] = {}
        self.starts: dict[TP, int] = {ONE: 0, TWO: 0}
        self.ends: dict[TP, int] = {ONE: 10_000, TWO: 10_000}
        self.sought: list[dict[TP, int]] = []
        self.takes_commits = True
        self.refused: LogRefused | None = None
        for name in ("_wait_next_records", "seek_wait", "earliest_offsets", "highwaters", "assignment", "highwater"):
            monkeypatch.setattr(consumer, name, getattr(self, name))
        monkeypatch.setattr(consumer._thread, "committed", self._committed)
        monkeypatch.setattr(consumer._thread, "commit_positions", self._commit_positions)

    async def _wait_next_records(self, timeout: float) -> tuple[dict[TP, Fetched], None]:
        return (self.fetches.pop(0) if self.fetches else {}), None

    async def seek_wait(self, offsets: Mapping[TP, int]) -> None:
        self.sought.append(dict(offsets))

    async def earliest_offsets(self, *partitions: TP) -> dict[TP, int]:
        return {tp: self.starts[tp] for tp in partitions}

    async def highwaters(self, *partitions: TP) -> dict[TP, int]:
        return {tp: self.ends[tp] for tp in partitions}

    def assignment(self) -> set[TP]:
        return {ONE, TWO}

    def highwater(self, tp: TP) -> int:
        return self.ends[tp]

    async def _committed(self, partitions: Collection[TP]) -> dict[TP, Committable]:
        return self.committed

    async def _commit_positions(self, positions: Mapping[TP, Committable], timeout: float) -> bool:
        if self.takes_commits:
            self.committed = {**self.committed, **positions}
        return self.takes_commits

    async def verify(self) -> None:
        if self.refused:
            raise self.refused

    async def fetch(self, **partitions: Fetched) -> list[Slice]:
        """The slices that the consumer delivers of one fetch: `one` and `two` give the partitions' records."""
        self.fetches.append({{"one": ONE, "two": TWO}[name]: found for name, found in partitions.items()})
        return [each.item async for _, message in self.consumer.getmany(timeout=0) for each in message.value]


@pytest.fixture
async def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBroker:
    kafka = Kafka(bootstrap="127.0.0.1:1")
    options = WorkerOptions(kafka, "group", tmp_path, transport=TransportOptions(SliceLimits(records=4)))
    wiring = Wiring(options, {"events": Log(epoch=3, partitions=2, topic_id="x")}, Scripted())
    consumer: SliceConsumer = wiring.app.consumer
    broker = FakeBroker(consumer, monkeypatch)
    monkeypatch.setattr(wiring, "verify", broker.verify)
    return broker


@pytest.fixture
async def started(broker: FakeBroker) -> FakeBroker:
    await broker.consumer.perform_seek()
    return broker


def ranges(slices: list[Slice]) -> list[tuple[int, int, int]]:
    return [(s.partition, s.first_offset, s.next_offset) for s in slices]


async def test_what_a_fetch_brings_of_a_topic_is_one_message(started: FakeBroker) -> None:
    started.fetches.append({ONE: records(0, 6), TWO: records(0, 2)})
    [message] = [message async for _, message in started.consumer.getmany(timeout=0)]
    slices = [each.item for each in message.value]
    assert ranges(slices) == [(0, 0, 4), (0, 4, 6), (1, 0, 2)]
    offsets, times = array("q", range(4)), array("q", [1_000] * 4)
    assert slices[0] == Slice("events", 3, 0, 0, 4, offsets, times, [b"k"] * 4, [b"v"] * 4)


async def test_reading_begins_at_the_commit_or_else_at_the_start_of_the_log(broker: FakeBroker) -> None:
    broker.committed, broker.starts[TWO] = {ONE: Committable(50, 1_500)}, 7
    await broker.consumer.perform_seek()
    assert broker.sought == [{ONE: 50, TWO: 7}]
    first, second = await broker.fetch(one=records(50, 52), two=records(7, 9))
    assert (first.first_offset, second.first_offset) == (50, 7)
    assert list(first.append_times) == [1_500, 1_500]
    assert list(second.append_times) == [1_000, 1_000]


async def test_a_fetch_that_was_lost_on_its_way_is_read_again(started: FakeBroker) -> None:
    await started.fetch(one=records(0, 2))
    assert await started.fetch(one=records(5, 7)) == []
    assert started.sought[-1] == {ONE: 2}
    assert ranges(await started.fetch(one=records(2, 4))) == [(0, 2, 4)]


async def test_records_delivered_before_are_not_delivered_again(started: FakeBroker) -> None:
    await started.fetch(one=records(0, 3))
    assert ranges(await started.fetch(one=records(1, 5))) == [(0, 3, 5)]
    assert ranges(await started.fetch(one=records(2, 4))) == []


async def lose_to_a_rebalance(broker: FakeBroker) -> None:
    """Fetches records during which the partitions go and come back, so that they are dropped."""

    async def rebalance_meanwhile(timeout: float) -> tuple[dict[TP, Fetched], None]:
        broker.consumer._drop({ONE, TWO})
        await broker.consumer.perform_seek()
        return {ONE: records(0, 3)}, None

    answer, broker.consumer._wait_next_records = broker.consumer._wait_next_records, rebalance_meanwhile
    assert [message async for message in broker.consumer.getmany(timeout=0)] == []
    broker.consumer._wait_next_records = answer


async def test_a_fetch_under_way_during_the_seek_proves_no_gap(broker: FakeBroker) -> None:
    """A call that began before a rebalance can end after it, and take records of the new hold with it."""
    await lose_to_a_rebalance(broker)
    assert await broker.fetch(one=records(3, 5)) == []
    assert broker.sought[-1] == {ONE: 0}
    assert ranges(await broker.fetch(one=records(0, 2))) == [(0, 0, 2)]


async def test_what_was_dropped_is_read_again_also_where_no_record_follows(broker: FakeBroker) -> None:
    """The client is past the records: the broker has no more to give, and no fetch would show that they are missing."""
    await lose_to_a_rebalance(broker)
    broker.sought.clear()
    assert await broker.fetch() == []
    assert broker.sought == [{ONE: 0}]
    assert ranges(await broker.fetch(one=records(0, 3))) == [(0, 0, 3)]
    assert await broker.fetch() == []
    assert broker.sought == [{ONE: 0}], "nothing is dropped any more"


async def test_a_fetch_that_ends_during_the_seek_proves_no_gap(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it took its records before the seek or after is not to be known."""
    seeking, fetched = asyncio.Event(), asyncio.Event()

    async def answer_during_the_seek(timeout: float) -> tuple[dict[TP, Fetched], None]:
        await seeking.wait()
        return {ONE: records(0, 3)}, None

    async def slow_seek(offsets: Mapping[TP, int]) -> None:
        seeking.set()
        await fetched.wait()

    with monkeypatch.context() as patch:
        patch.setattr(broker.consumer, "_wait_next_records", answer_during_the_seek)
        patch.setattr(broker.consumer, "seek_wait", slow_seek)
        under_way = asyncio.create_task(anext(broker.consumer.getmany(timeout=0), None))
        await asyncio.sleep(0)
        seek = asyncio.create_task(broker.consumer.perform_seek())
        assert await under_way is None
        fetched.set()
        await seek
    assert await broker.fetch(one=records(3, 5)) == []
    assert broker.sought == [{ONE: 0}, {ONE: 0}], (
        "once for the fetch that was dropped, once for the one that begins too late"
    )


async def test_a_gap_that_the_broker_confirms_is_compaction(started: FakeBroker) -> None:
    await started.fetch(one=records(0, 2))
    await started.fetch(one=records(5, 7))
    assert ranges(await started.fetch(one=records(5, 7))) == [(0, 2, 7)]


async def test_records_that_the_log_lost_are_a_hole(started: FakeBroker) -> None:
    await started.fetch(one=records(0, 2))
    await started.fetch(one=records(5, 7))
    started.starts[ONE] = 5
    assert ranges(await started.fetch(one=records(5, 7))) == [(0, 5, 7)]


async def test_only_what_the_ledger_says_is_committed(started: FakeBroker) -> None:
    ledger, consumer = started.consumer._ledger, started.consumer
    slices = await started.fetch(one=records(0, 6))
    consumer._acked[ONE] = [3, 5]
    consumer._acked_index[ONE] = {3, 5}
    assert not await consumer.commit()
    ledger.written(slices[0], consumer._generation)
    assert await consumer.commit()
    assert started.committed == {ONE: Committable(4, 1_000)}
    assert not consumer._acked


async def test_a_commit_that_failed_is_tried_again(started: FakeBroker) -> None:
    consumer = started.consumer
    (item,) = await started.fetch(one=records(0, 2))
    consumer._ledger.written(item, consumer._generation)
    started.takes_commits = False
    assert not await consumer.commit()
    assert consumer._committed_offset[ONE] is None
    started.takes_commits = True
    assert await consumer.commit()
    assert consumer._committed_offset[ONE] == 2


async def test_what_was_read_before_a_loss_is_never_committed(started: FakeBroker) -> None:
    consumer = started.consumer
    (item,) = await started.fetch(one=records(0, 2))
    generation = consumer._generation
    consumer._drop({ONE, TWO})
    consumer._ledger.written(item, generation)
    assert not await consumer.commit()


async def test_positions_tell_what_is_read_and_written(started: FakeBroker) -> None:
    consumer = started.consumer
    slices = await started.fetch(one=records(0, 6))
    consumer._ledger.written(slices[0], consumer._generation)
    one, two = consumer.positions()
    assert (one.begin, one.read, one.written, one.end) == (0, 6, 4, 10_000)
    assert (two.begin, two.read, two.written, two.end) == (0, 0, 0, 10_000)


async def test_a_record_with_the_producers_time_is_refused(started: FakeBroker) -> None:
    with pytest.raises(NotAppendTime, match=r"message\.timestamp\.type=LogAppendTime"):
        await started.fetch(one=records(0, 2, timestamp_type=0))


async def test_a_log_that_ends_below_its_commit_is_refused(broker: FakeBroker) -> None:
    broker.committed, broker.ends[ONE] = {ONE: Committable(50, 0)}, 49
    with pytest.raises(AnotherLog, match="begin a new epoch"):
        await broker.consumer.perform_seek()


async def test_a_log_that_begins_again_is_refused(started: FakeBroker) -> None:
    await started.fetch(one=records(0, 8))
    started.ends[ONE] = 3
    with pytest.raises(AnotherLog):
        await started.fetch(one=records(0, 3))


async def test_nothing_is_read_of_a_log_that_is_not_the_one_known(broker: FakeBroker) -> None:
    broker.refused = PartitionsChanged("events", 2, 3)
    with pytest.raises(PartitionsChanged, match="has 3 partitions and its epoch has 2"):
        await broker.consumer.perform_seek()
    assert await broker.fetch(one=records(0, 2)) == []


@pytest.mark.parametrize(
    ("applied", "begins"),
    [
        (None, 70),  # the store does not say
        ({}, 5),  # a wiped store: everything that the log still holds
        ({ONE: Committable(40, 900)}, 40),  # a store from an older copy
        ({ONE: Committable(3, 900)}, 5),  # what it lacks is gone from the log
        ({ONE: Committable(90, 900)}, 70),
    ],
)
async def test_reading_begins_where_the_store_is_whole(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch, applied: dict[TP, Committable] | None, begins: int
) -> None:
    async def asked(partitions: Collection[TP]) -> dict[TP, Committable] | None:
        return applied

    monkeypatch.setattr(broker.consumer._listener, "applied", asked)
    broker.committed, broker.starts = {ONE: Committable(70, 1_000)}, {ONE: 5, TWO: 0}
    await broker.consumer.perform_seek()
    assert broker.sought == [{ONE: begins, TWO: 0}]
