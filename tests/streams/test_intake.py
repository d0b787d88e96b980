"""Every example of the contracts through intake: each record is used or set aside with its reason, none is lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from schemas.codec import Schema
from schemas.frames import EVENT_COLUMNS, ORDER_COLUMNS
from schemas.registry import RegistryUnavailable
from streams.intake import Intake
from streams.records import TRANSACTIONS, USER_EVENTS
from streams.slices import Slice
from tests.schemas.examples import Example, examples, schemas

APPENDED = 1_763_700_000_000
YEAR_9999 = 253_370_764_800_000


def _appended(example: Example) -> int:
    """Good examples are good whenever they arrive, so they arrive after anything that they may say."""
    return int(example.content.get("append_time", APPENDED if example.reason else YEAR_9999))


def part(topic: str, found: Sequence[Example], first: int, partition: int = 0) -> Slice:
    offsets = list(range(first, first + len(found)))
    return Slice(
        topic=topic,
        epoch=1,
        partition=partition,
        first_offset=first,
        next_offset=first + len(found),
        offsets=offsets,
        append_times=[_appended(example) for example in found],
        keys=[example.name.encode() for example in found],
        values=[example.value for example in found],
    )


def of(subject: str) -> list[Example]:
    return [*examples("good", subject), *examples("bad", subject)]


def test_every_record_is_good_or_a_dead_letter_with_its_reason_and_bytes() -> None:
    events, orders = of("user-event"), of("transaction")
    half = len(events) // 2
    slices = [
        part(USER_EVENTS, events[:half], 10),
        part(USER_EVENTS, events[half:], 10 + half),
        part(TRANSACTIONS, orders, 3),
    ]
    records = Intake(schemas().__getitem__)(slices)
    assert records.events.columns == list(EVENT_COLUMNS)
    assert records.orders.columns == list(ORDER_COLUMNS)
    good = {10 + n for n, example in enumerate(events) if example.reason is None}
    assert set(records.events["log_offset"]) == good
    letters = {(row["topic"], row["log_offset"]): row for row in records.dead_letters.to_dicts()}
    bad = {(USER_EVENTS, 10 + n): example for n, example in enumerate(events) if example.reason}
    bad |= {(TRANSACTIONS, 3 + n): example for n, example in enumerate(orders) if example.reason}
    assert letters.keys() == bad.keys()
    for place, example in bad.items():
        assert letters[place]["reason"] == example.reason, example.name
        assert letters[place]["value"] == example.value
        assert letters[place]["key"] == example.name.encode()
        assert letters[place]["message"]


def test_the_ranges_name_every_partition_also_without_a_good_record() -> None:
    broken = [example for example in of("user-event") if example.reason][:2]
    records = Intake(schemas().__getitem__)([part(USER_EVENTS, broken, 7, partition=5)])
    assert [(r.topic, r.partition, r.first, r.end) for r in records.ranges] == [(USER_EVENTS, 5, 7, 9)]
    assert records.starts(USER_EVENTS) == {5: 7}
    assert records.events.height == 0


def test_a_registry_that_does_not_answer_stops_the_slice_instead_of_refusing_records() -> None:
    def away(schema_id: int) -> Schema:
        raise RegistryUnavailable(f"find schema {schema_id}", "connection refused")

    with pytest.raises(RegistryUnavailable):
        Intake(away)([part(USER_EVENTS, of("user-event"), 0)])
