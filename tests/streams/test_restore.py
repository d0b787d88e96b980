"""Which groups are read back when partitions are assigned, in whatever parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from infra.clients.clickhouse import StoreUnavailable, insert
from schemas.frames import DEAD_LETTER_COLUMNS, EVENT_COLUMNS, GROUP, ORDER_COLUMNS, empty, utc_day
from schemas.lateness import Horizon
from schemas.sessions import SessionRules
from streams import restore
from streams.facts import FactFold
from streams.memory import MemoryLimits
from streams.progress import Progress
from streams.records import USER_EVENTS, Range, Records
from streams.restore import Assigned, History
from streams.stages import Stages
from tests.merge.frames import event_frame
from tests.merge.store import BATCH, SPEED, Store
from tests.oracle.log import event

BEGIN = datetime(2026, 3, 1, 10, tzinfo=UTC)
SESSIONS = 40
OTHER_EPOCH = 2
APPENDED = "2026-03-01 12:00"


def _stored(store: Store) -> pl.DataFrame:
    """Of each session two events, in two tenants and three partitions; session 39 is the latest."""
    records = []
    for number in range(SESSIONS):
        session, tenant = f"s{number * 7 % SESSIONS:02}", f"t{number % 2}"
        for step in range(2):
            time = (BEGIN + timedelta(minutes=number + step)).strftime("%Y-%m-%d %H:%M")
            offset, partition = 2 * number + step, number % 3
            records.append(event(offset, time, session=session, tenant=tenant, append=APPENDED, partition=partition))
    other = event(500, "2026-03-01 10:40", session="other", tenant="t0", epoch=OTHER_EPOCH)
    store.clear(SPEED + BATCH)
    events = event_frame([*records, other])
    insert(store.client, "events_speed", events.with_columns(day=utc_day("event_time")))
    return events.filter(pl.col("log_epoch") != OTHER_EPOCH)


def _read(store: Store, since: list[datetime], limit: int, below: int = 1_000) -> list[tuple[object, ...]]:
    partitions = [Assigned(1, number, time, below) for number, time in enumerate(since)]
    parts = list(History(store.client).open_groups(partitions, limit))
    return sorted(row for part in parts for row in part.select(*GROUP, "log_offset").rows())


def _expected(events: pl.DataFrame, groups: pl.DataFrame) -> list[tuple[object, ...]]:
    return sorted(events.join(groups, on=GROUP, how="semi").select(*GROUP, "log_offset").rows())


@pytest.fixture(params=[1, 3, 7, 1_000])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "GROUPS_PER_QUERY", request.param)


@pytest.mark.usefixtures("at_once")
def test_each_partition_has_a_time_of_its_own_and_groups_are_whole(store: Store) -> None:
    events = _stored(store)
    since = [BEGIN + timedelta(minutes=minutes) for minutes in (10, 20, 30)]
    mark = pl.col("log_partition").replace_strict({0: since[0], 1: since[1], 2: since[2]})
    wanted = events.filter(pl.col("event_time") >= mark.cast(events.schema["event_time"]))
    assert wanted.height < events.height - 20
    assert _read(store, since, 1_000) == _expected(events, wanted)


@pytest.mark.usefixtures("at_once")
def test_the_latest_groups_come_where_there_is_room_for_some_only(store: Store) -> None:
    events = _stored(store)
    latest = events.filter(pl.col("log_offset") // 2 >= SESSIONS - 9)
    assert _read(store, [BEGIN] * 3, 9) == _expected(events, latest)


@pytest.mark.usefixtures("at_once")
def test_events_past_the_start_are_left_out(store: Store) -> None:
    events = _stored(store).filter(pl.col("log_offset") < 31)
    assert _read(store, [BEGIN] * 3, 1_000, below=31) == _expected(events, events)


def test_where_nothing_is_open_nothing_is_read(store: Store) -> None:
    _stored(store)
    assert _read(store, [BEGIN + timedelta(days=1)] * 3, 1_000) == []


def test_a_try_that_failed_halfway_leaves_no_group_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    events = _stored(store)
    monkeypatch.setattr(restore, "GROUPS_PER_QUERY", 7)
    stages = Stages()
    fold = FactFold(store.client, SessionRules(timedelta(hours=1)), Horizon(7), MemoryLimits(), stages)
    applied = Progress(1_000, 0, BEGIN.date() - timedelta(days=9), BEGIN + timedelta(minutes=SESSIONS))
    ranges = tuple(Range(USER_EVENTS, 1, number, 1_000, 1_000, BEGIN, BEGIN) for number in range(3))
    fold.memory.progress |= {(USER_EVENTS, number): applied for number in range(3)}
    nothing = Records(ranges, empty(EVENT_COLUMNS), empty(ORDER_COLUMNS), empty(DEAD_LETTER_COLUMNS))
    with monkeypatch.context() as patched:
        patched.setattr(restore, "once", _failing_after(2))
        with pytest.raises(StoreUnavailable):
            list(fold.steps(nothing))
    assert len(fold.memory.sessions.seen) == 2 * 7
    fold.memory.progress |= {(USER_EVENTS, number): applied for number in range(3)}
    list(fold.steps(nothing))
    assert len(fold.memory.sessions.seen) == events.select(GROUP).n_unique()


def _failing_after(queries: int) -> Callable[..., pl.DataFrame]:
    real, left = restore.once, iter(range(queries))

    def once(*args: Any) -> pl.DataFrame:
        if next(left, None) is None:
            raise StoreUnavailable("gone")
        return real(*args)

    return once


def test_asked_for_in_parts_each_key_is_found_once_and_no_other_pair() -> None:
    """The condition is true of all pairs of the tenants and the entities that it is given."""
    stored = pl.DataFrame(
        [(tenant, user) for tenant in "ab" for user in "xyz"], schema=["tenant", "user"], orient="row"
    )
    keys = pl.DataFrame({"tenant": ["a", "b", "a", "b"], "user": ["x", "y", "z", "y"]})

    def ask(names: Mapping[str, Any]) -> pl.DataFrame:
        return stored.filter(pl.col("tenant").is_in(names["tenants"]), pl.col("user").is_in(names["entities"]))

    found = pl.concat(restore.by_keys(keys, ("tenant", "user"), ask, at_once=2))
    assert sorted(found.rows()) == [("a", "x"), ("a", "z"), ("b", "y")]


def test_sessions_of_one_name_in_other_tenants_and_epochs_are_not_read_back(store: Store) -> None:
    _stored(store)
    rows = [
        event(n, "2026-03-01 11:00", session="s00", tenant=tenant, append=APPENDED) for n, tenant in enumerate("xy")
    ]
    insert(store.client, "events_speed", event_frame(rows).with_columns(day=utc_day("event_time")))
    wanted = pl.DataFrame([("x", "s00", 1, 0), ("t1", "s07", 1, 1)], schema=list(GROUP), orient="row")
    wanted = wanted.cast({"log_partition": pl.Int32})
    found = History(store.client).events(wanted, {0: 1_000, 1: 1_000})
    assert sorted(found.select("tenant_id", "session_id", "log_offset").rows()) == [
        ("t1", "s07", 2),
        ("t1", "s07", 3),
        ("x", "s00", 0),
    ]
