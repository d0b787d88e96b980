"""What a backfill finds left to do, from what the lake says of itself and what is published."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from batch.backfill import span, to_do
from batch.landings import Commit, LandedDay, LandedRange
from batch.publication import Publication
from batch.snapshot import Pinned
from schemas.tables.lake import EVENTS

MONDAY = date(2026, 3, 2)
DAYS = span(MONDAY, MONDAY + timedelta(days=3))


def landing(start: int, end: int, *days: LandedDay) -> Commit:
    taken = datetime(2026, 3, 5, 12, tzinfo=UTC)
    landed = LandedRange("user-events", "", 1, {0: start}, {0: end}, taken, {}, end - start, 0, days, {})
    return Commit(start + 1, start + 1, landed)


def publication(day: date, cut: int, definition: str = "x") -> Publication:
    return Publication("events", day, 1, "p", 1, 1, {0: cut}, 1, False, definition)


PINNED = Pinned(
    EVENTS,
    1,
    1,
    (
        landing(0, 10, LandedDay(DAYS[0], 0, 6, 0, 5), LandedDay(DAYS[1], 0, 4, 6, 9)),
        landing(10, 20, LandedDay(DAYS[0], 0, 2, 10, 12), LandedDay(DAYS[3], 0, 8, 13, 19)),
    ),
)


@pytest.mark.parametrize(
    ("published", "left"),
    [
        ([], [DAYS[0], DAYS[1]]),
        ([publication(DAYS[0], 10)], [DAYS[0], DAYS[1]]),
        ([publication(DAYS[0], 13)], [DAYS[1]]),
        ([publication(DAYS[0], 20), publication(DAYS[1], 10)], []),
        ([publication(DAYS[0], 20, "an older rule"), publication(DAYS[1], 10)], [DAYS[0]]),
    ],
    ids=["nothing published", "late records", "counted by its cut", "all in place", "another definition"],
)
def test_a_day_is_left_until_it_is_published_with_all_that_the_lake_holds(
    published: list[Publication], left: list[date]
) -> None:
    found, in_place, without = to_do(DAYS, PINNED, {one.day: one for one in published}, "x")
    assert found == left
    assert sorted([*found, *in_place]) == [DAYS[0], DAYS[1]]
    # Of one day nothing was landed; another was not over when the landing ended.
    assert without == [DAYS[2], DAYS[3]]
