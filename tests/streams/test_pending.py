import asyncio
from dataclasses import replace

from streams.ledger import Ledger
from streams.pending import Delivery, Pending, PendingLimits
from streams.slices import MS_PER_DAY
from tests.streams.test_ledger import part


def buffer(records: int) -> tuple[Ledger, Pending]:
    ledger = Ledger()
    return ledger, Pending(ledger, PendingLimits(records=records))


async def put(ledger: Ledger, pending: Pending, first: int, end: int, generation: int = 0) -> Delivery:
    delivery = Delivery(part(first, end), generation)
    ledger.delivered(delivery.item, generation)
    await pending.put([delivery])
    return delivery


async def test_a_full_buffer_makes_the_intake_wait_until_slices_are_taken() -> None:
    ledger, pending = buffer(records=3)
    first = await put(ledger, pending, 0, 4)
    assert pending.full
    waiting = asyncio.create_task(put(ledger, pending, 4, 5))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert pending.take() == [first]
    second = await waiting
    assert pending.take() == [second]
    assert (pending.slices, pending.records, pending.full) == (0, 0, False)


async def test_a_slice_that_waited_while_its_partition_was_lost_is_let_go() -> None:
    ledger, pending = buffer(records=3)
    await put(ledger, pending, 0, 4)
    waiting = asyncio.create_task(put(ledger, pending, 4, 5))
    await asyncio.sleep(0)
    ledger.dropped([("events", 0)], 0)
    pending.drop([("events", 0)])
    await waiting
    assert pending.take() == []


async def test_losing_a_partition_keeps_the_slices_of_others() -> None:
    ledger, pending = buffer(records=100)
    await put(ledger, pending, 0, 4)
    other = Delivery(part(0, 2, partition=1), 0)
    ledger.delivered(other.item, 0)
    await pending.put([other])
    pending.drop([("events", 0)])
    assert (pending.slices, pending.records) == (1, 2)
    assert pending.take() == [other]


async def test_a_tick_takes_of_a_partition_what_was_appended_on_one_day() -> None:
    ledger, pending = buffer(records=100)
    before = await put(ledger, pending, 0, 2)
    after = Delivery(replace(part(2, 4), append_times=[MS_PER_DAY] * 2), 0)
    other = Delivery(replace(part(0, 1, partition=1), append_times=[MS_PER_DAY]), 0)
    for each in (after, other):
        ledger.delivered(each.item, 0)
    await pending.put([after, other])
    assert pending.take() == [before, other]
    assert (pending.slices, pending.records) == (1, 2)
    assert await pending.arrival(0.01)
    assert pending.take() == [after]


async def test_arrival_ends_at_its_deadline() -> None:
    ledger, pending = buffer(records=100)
    assert not await pending.arrival(0.01)
    await put(ledger, pending, 0, 1)
    assert await pending.arrival(0.01)
