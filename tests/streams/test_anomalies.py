"""The engine raises the same alerts however its ticks are cut, and none twice after a restart or a replay."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import polars as pl
import pytest

from infra.clients.clickhouse import Client, insert
from schemas.alerts import ALERT_COLUMNS, AlertRules
from schemas.frames import SIGHTED_COLUMNS, empty
from schemas.lateness import Horizon
from schemas.sessions import SessionRules
from streams.engine import Engine
from streams.raised import Raised
from streams.records import TRANSACTIONS, USER_EVENTS, Range, Records
from streams.slices import Slice
from tests.merge.frames import event_frame, order_frame
from tests.merge.store import BATCH, SPEED, Store
from tests.merge.ticks import writes
from tests.oracle.log import event, order
from tests.oracle.records import LogRecord

RULES = AlertRules(click_floor=4)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _no_slices(slices: Sequence[Slice]) -> Records:
    raise AssertionError("records are handed to the engine directly")


def engine(store: Store) -> Engine:
    return Engine((store.client, store.client), _no_slices, SessionRules(), Horizon(7), alert_rules=RULES)


def span(topic: str, rows: int, first: int) -> Range:
    return Range(topic, 1, 0, first, first + rows, NOW, NOW)


def apply(store: Store, worker: Engine, records: Records, until: int | None = None) -> dict[str, pl.DataFrame]:
    """One tick; `until` writes only so many tables of it, as a worker that dies then."""
    written = {}
    for number, write in enumerate(writes(worker, records)):
        if until is not None and number >= until:
            break
        insert(store.client, write.table, write.rows)
        written[write.table] = write.rows
    return written


def clicks_and_orders() -> tuple[list[LogRecord], list[LogRecord]]:
    times = [0, 40, 80, 120, 160, 200, 5_000, 5_040, 5_080, 5_120, 9_000]
    clicks = [
        event(n, f"2026-03-01 10:00:{ms / 1000:06.3f}", "click", append="2026-03-01 12:00")
        for n, ms in enumerate(times)
    ]
    amounts = [10.0, 10.0, 10.0, 60.0, 10.0, 200.0]
    orders = [
        order(n, f"2026-03-01 0{n}:00", amount, transaction=f"t{n}", append="2026-03-01 12:00")
        for n, amount in enumerate(amounts)
    ]
    return clicks, orders


@pytest.mark.parametrize("seed", range(8))
def test_alerts_do_not_depend_on_cuts_deaths_and_restarts(store: Store, seed: int) -> None:
    store.clear(SPEED + BATCH)
    rng, sent = random.Random(seed), Counter[str]()
    clicks, orders = clicks_and_orders()
    worker, position = engine(store), 0
    while position < len(clicks):
        size = rng.randrange(1, 5)
        ranges = [span(USER_EVENTS, len(clicks[position : position + size]), position)]
        if orders[position : position + size]:
            ranges.append(span(TRANSACTIONS, len(orders[position : position + size]), position))
        part = Records(
            tuple(ranges),
            event_frame(clicks[position : position + size]),
            order_frame(orders[position : position + size]),
            pl.DataFrame(),
        )
        if rng.random() < 0.3:
            apply(store, worker, part, until=rng.randrange(9))
            worker = engine(store)
            continue
        for alert in apply(store, worker, part).get("speed_alerts", pl.DataFrame({"alert_id": []}))["alert_id"]:
            sent[alert] += 1
        position += size
        if rng.random() < 0.3:
            worker = engine(store)
    rows = store.rows("SELECT rule, as_of, alert_id FROM speed_alerts FINAL ORDER BY rule, as_of")
    assert [(row["rule"], row["as_of"]) for row in rows] == [
        ("large_purchase", 3),
        ("large_purchase", 5),
        ("rapid_clicks", 3),
    ]
    assert sent == {row["alert_id"]: 1 for row in rows}


def test_a_user_on_two_addresses_is_found_over_the_sightings_of_two_partitions(store: Store) -> None:
    store.clear(SPEED + BATCH)
    worker = engine(store)
    seen = [
        event(0, "2026-03-01 10:01", user="ann", session="a", append="2026-03-01 12:00"),
        event(1, "2026-03-01 10:03", user="ann", session="a", append="2026-03-01 12:00"),
        event(2, "2026-03-01 10:59", user="ann", session="b", append="2026-03-01 12:00"),
        event(3, "2026-03-01 13:59", user="ann", session="c", append="2026-03-01 14:00"),
    ]
    frame = event_frame(seen).with_columns(ip=pl.Series(["192.0.2.0", "192.0.2.0", "198.51.100.0", "203.0.113.0"]))
    sightings = []
    for start in (0, 1, 2):
        part = frame.filter(pl.col("log_offset") >= start, (pl.col("log_offset") < start + 1) | (start == 2))
        records = Records((span(USER_EVENTS, part.height, start),), part, order_frame([]), pl.DataFrame())
        sightings.append(apply(store, worker, records).get("speed_sightings"))
    sent = pl.concat([rows for rows in sightings if rows is not None])
    assert sent["event_id"].to_list() == ["e0", "e2", "e3"]
    arrived = sent.with_columns(
        log_offset=pl.int_range(pl.len(), dtype=pl.Int64),
        schema_id=pl.lit(1, pl.Int32),
        append_time=pl.lit(NOW).cast(SIGHTED_COLUMNS["append_time"]),
    ).select(*SIGHTED_COLUMNS)
    for first in range(arrived.height):
        states = {"user-sightings": arrived[first : first + 1]}
        records = Records((span("user-sightings", 1, first),), event_frame([]), order_frame([]), pl.DataFrame(), states)
        apply(store, engine(store), records)
    [alert] = store.rows("SELECT * FROM speed_alerts FINAL")
    assert (alert["rule"], alert["entity"], alert["observed"]) == ("new_address", "ann", 55.0)
    assert alert["window_end"] - alert["window_start"] == timedelta(minutes=55)
    assert dict(alert["evidence"])["other_session_id"] in {"a", "b"}


def hour_of_events(first: int, hour: int, count: int) -> list[LogRecord]:
    times = [f"2026-03-01 {hour:02}:{n % 60:02}" for n in range(count)]
    return [event(first + n, times[n], session=f"s{n}", append=f"2026-03-01 {hour:02}:59:59") for n in range(count)]


@pytest.mark.parametrize("restart", [False, True])
def test_an_hour_without_the_usual_traffic_is_told_once_all_partitions_have_passed_it(
    store: Store, restart: bool
) -> None:
    store.clear(SPEED + BATCH)
    rules = AlertRules(traffic_floor=20)
    worker = Engine((store.client, store.client), _no_slices, SessionRules(), Horizon(7), alert_rules=rules)
    offset, told = 0, []
    for hour, count in ((1, 50), (2, 52), (3, 49), (4, 50), (5, 51), (6, 50), (7, 50), (8, 5), (9, 50), (10, 50)):
        log = hour_of_events(offset, hour, count)
        at = NOW.replace(hour=hour, minute=59, second=59)
        ranges = (Range(USER_EVENTS, 1, 0, offset, offset + count, at, at),)
        written = apply(store, worker, Records(ranges, event_frame(log), order_frame([]), pl.DataFrame()))
        told += written.get("speed_alerts", pl.DataFrame({"window_start": []}))["window_start"].to_list()
        offset += count
        if restart:
            worker = Engine((store.client, store.client), _no_slices, SessionRules(), Horizon(7), alert_rules=rules)
    assert told == [NOW.replace(hour=8)]
    [alert] = store.rows("SELECT * FROM speed_alerts FINAL")
    assert (alert["entity"], alert["observed"], dict(alert["evidence"])["usual"]) == ("default", 5.0, "50")


def test_what_was_raised_is_remembered_without_the_store() -> None:
    """When it is, everything is written, and other memories have changed: a failure would count the tick twice."""
    store_that_is_gone = cast("Client", None)
    Raised(store_that_is_gone).take_in(empty(ALERT_COLUMNS))
