"""What a snapshot covers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from batch.coverage import Landing, covered

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def landing(number: int, start: dict[int, int], end: dict[int, int]) -> Landing:
    return Landing(number, number, 1, start, end, NOON + timedelta(hours=number))


def test_ranges_that_meet_are_covered_until_the_last() -> None:
    found = covered([landing(1, {0: 0, 1: 0}, {0: 5, 1: 0}), landing(2, {0: 5, 1: 0}, {0: 9, 1: 3})])
    assert found.end == {0: 9, 1: 3}
    assert found.taken_at == NOON + timedelta(hours=2)


def test_a_range_past_a_gap_adds_nothing_and_dates_nothing() -> None:
    found = covered([landing(1, {0: 0}, {0: 5}), landing(2, {0: 7}, {0: 9})])
    assert found.end == {0: 5}
    assert found.taken_at == NOON + timedelta(hours=1)


def test_a_range_landed_twice_counts_once() -> None:
    found = covered([landing(1, {0: 0}, {0: 5}), landing(2, {0: 0}, {0: 4}), landing(3, {0: 5}, {0: 6})])
    assert found.end == {0: 6}


def test_the_time_is_that_of_the_partition_that_is_furthest_behind() -> None:
    found = covered([landing(1, {0: 0, 1: 0}, {0: 5, 1: 5}), landing(2, {0: 5, 1: 6}, {0: 9, 1: 9})])
    assert found.end == {0: 9, 1: 5}
    assert found.taken_at == NOON + timedelta(hours=1)


def test_nothing_landed_covers_nothing() -> None:
    assert covered([]).end == {}
