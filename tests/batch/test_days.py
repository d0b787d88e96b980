"""Which days move together."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from batch.days import connected
from batch.publication import Publication

MON, TUE, WED, THU = (date(2026, 3, day) for day in (2, 3, 4, 5))
FRIDAY_NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)


def reach(*sessions: tuple[list[date], int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "log_partition": [0] * len(sessions),
            "event_days": [days for days, _ in sessions],
            "last_offset": [offset for _, offset in sessions],
        },
        schema={"log_partition": pl.Int32, "event_days": pl.List(pl.Date), "last_offset": pl.Int64},
    )


def published(day: date, cut: int) -> dict[date, Publication]:
    return {day: Publication("events", day, 1, "p", 65536, 1, {0: cut}, 1, sealed=False, definition="d")}


def test_a_session_takes_its_other_days_along_and_these_take_theirs() -> None:
    chain = reach(([MON, TUE], 5), ([TUE, WED], 6), ([THU], 7))
    assert connected({MON}, chain, {}, FRIDAY_NOON) == {MON, TUE, WED}


def test_a_day_that_is_published_past_the_whole_session_stays() -> None:
    chain = reach(([MON, TUE], 5), ([TUE, WED], 9))
    assert connected({MON}, chain, published(TUE, 6), FRIDAY_NOON) == {MON}
    assert connected({MON}, chain, published(TUE, 5), FRIDAY_NOON) == {MON, TUE, WED}


def test_a_day_that_is_not_over_for_an_hour_is_left_to_the_speed_layer() -> None:
    just_after = datetime(2026, 3, 4, 0, 59, tzinfo=UTC)
    assert connected({MON, TUE}, reach(([MON, TUE], 5)), {}, just_after) == {MON}
