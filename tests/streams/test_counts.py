"""Stored counts of windows: when a row is believed, and when events are counted instead."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl

from infra.clients.clickhouse import insert
from schemas.frames import utc_day
from streams.counts import Counts, Standing
from streams.popularity import WINDOW_COLUMNS, WINDOW_KEYS, count_windows
from tests.merge.frames import event_frame
from tests.merge.store import BATCH, SPEED, Store
from tests.oracle.log import event

DAY = date(2026, 3, 1)
NO_HOLE = date(1970, 1, 1)
PARTITION = 0


def views(minutes: list[int]) -> pl.DataFrame:
    """One view of a product at each minute, at offsets from 0 on."""
    records = [
        event(n, f"2026-03-01 10:{minute:02}", append="2026-03-01 12:00", product="p", tenant="t0")
        for n, minute in enumerate(minutes)
    ]
    return event_frame(records)


def stored(store: Store, minutes: list[int], rows: pl.DataFrame) -> pl.DataFrame:
    """Stores events and rows; answers the keys of the windows that the events lie in."""
    store.clear(SPEED + BATCH)
    events = views(minutes)
    insert(store.client, "events_speed", events.with_columns(day=utc_day("event_time")))
    insert(store.client, "speed_products", rows)
    return count_windows(events)[0].select(WINDOW_KEYS)


def row(start: datetime, as_of: int, seen: int) -> pl.DataFrame:
    counts = {"views": seen, "clicks": 0, "add_to_carts": 0, "purchases": 0}
    key = {
        "day": DAY,
        "window_start": start,
        "tenant_id": "t0",
        "product_id": "p",
        "log_epoch": 1,
        "log_partition": PARTITION,
    }
    return pl.DataFrame([{**key, "as_of": as_of, **counts}], schema=WINDOW_COLUMNS)


FIRST = datetime(2026, 3, 1, 10, tzinfo=UTC)
SECOND = FIRST + timedelta(minutes=5)


def asked(
    store: Store, windows: pl.DataFrame, start: int, hole_until: date = NO_HOLE
) -> list[tuple[datetime, int, int]]:
    found = Counts(store.client, 7).windows(windows, {PARTITION: Standing(start, hole_until)})
    return sorted(found.select("window_start", "as_of", "views").rows())


def test_a_row_of_below_the_start_is_believed_and_one_of_past_it_is_counted_again(store: Store) -> None:
    wrong = 70  # more than there are, so that it shows who was believed
    windows = stored(store, [1, 2, 6, 7], pl.concat([row(FIRST, 1, wrong), row(SECOND, 3, wrong)]))
    assert asked(store, windows, 4) == [(FIRST, 1, wrong), (SECOND, 3, wrong)]
    assert asked(store, windows, 3) == [(FIRST, 1, wrong), (SECOND, 2, 1)]
    assert asked(store, windows, 1) == [(FIRST, 0, 1)]


def test_where_no_row_is_nothing_was_counted_save_on_days_of_lost_records(store: Store) -> None:
    windows = stored(store, [1, 2, 6], row(FIRST, 1, 2))
    assert asked(store, windows, 3) == [(FIRST, 1, 2)]
    assert asked(store, windows, 3, hole_until=DAY - timedelta(days=1)) == [(FIRST, 1, 2)]
    assert asked(store, windows, 3, hole_until=DAY) == [(FIRST, 1, 2), (SECOND, 2, 1)]


def test_the_newest_row_counts(store: Store) -> None:
    windows = stored(store, [1, 2, 3], pl.concat([row(FIRST, 2, 3), row(FIRST, 0, 1), row(FIRST, 1, 2)]))
    assert asked(store, windows, 3) == [(FIRST, 2, 3)]
