"""The tables and the frames that are written into them say the same columns; migrations do not change once applied."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from batch.selection import COLUMNS as SELECTION_COLUMNS
from infra.clients.clickhouse import MigrationChanged, migrate
from schemas.alerts import ALERT_COLUMNS
from schemas.anomalies.addresses import SIGHTING_COLUMNS
from schemas.breakdowns import BREAKDOWN_COLUMNS
from schemas.frames import (
    EVENT_COLUMNS,
    GROUP,
    INVENTORY_COLUMNS,
    ORDER_COLUMNS,
    PROFILE_COLUMNS,
    SIGNAL_COLUMNS,
    TICKET_COLUMNS,
)
from schemas.lateness import LATE_AFTER
from schemas.metrics import GRAIN_KEYS, METRICS
from schemas.products import COUNTERS
from schemas.sessions import SESSION_COLUMNS
from schemas.tables import clickhouse_migrations
from serving.merged import ANALYST, PINNED, statements
from streams.popularity import WINDOW_COLUMNS
from streams.progress import BEGINNING_COLUMNS, PROGRESS_COLUMNS
from tests.merge.store import Store

NESTED = [column for column in SESSION_COLUMNS if column not in GROUP]
WRITTEN = {
    "events_speed": ["day", *EVENT_COLUMNS],
    "events_cold": ["day", *EVENT_COLUMNS],
    "orders_speed": ["day", *ORDER_COLUMNS],
    "orders_cold": ["day", *ORDER_COLUMNS],
    "speed_products": list(WINDOW_COLUMNS),
    "speed_progress": list(PROGRESS_COLUMNS),
    "speed_beginnings": list(BEGINNING_COLUMNS),
    "speed_profiles": ["day", *PROFILE_COLUMNS],
    "speed_inventory": ["day", *INVENTORY_COLUMNS],
    "speed_tickets": ["day", *TICKET_COLUMNS],
    "speed_signals": ["day", *SIGNAL_COLUMNS],
    "speed_sightings": list(SIGHTING_COLUMNS),
    "speed_alerts": list(ALERT_COLUMNS),
    "batch_events": ["day", "version", *EVENT_COLUMNS],
    "batch_sessions": ["day", "version", *SESSION_COLUMNS],
    "batch_products": ["day", "version", "tenant_id", "product_id", *COUNTERS],
    "batch_orders": ["day", "version", *ORDER_COLUMNS],
    "batch_selections": list(SELECTION_COLUMNS),
    "batch_breakdowns": ["day", "version", *BREAKDOWN_COLUMNS],
}


DERIVED = ("late", "place", "reached", "precedence", "id", "events", "orders")
"""Columns that the store derives for the merged views."""


def columns(store: Store, table: str) -> dict[str, str]:
    rows = store.rows(
        f"SELECT name, type FROM system.columns WHERE database = 'rivermeet' AND table = '{table}'"
        f" AND NOT (default_kind = 'MATERIALIZED' AND name IN {DERIVED}) ORDER BY position"
    )
    return {row["name"]: row["type"] for row in rows}


@pytest.mark.parametrize("table", WRITTEN)
def test_a_table_has_the_columns_of_its_frame(store: Store, table: str) -> None:
    assert list(columns(store, table)) == WRITTEN[table]


def test_a_group_row_nests_the_session_columns(store: Store) -> None:
    nested = columns(store, "speed_sessions")["sessions"]
    assert columns(store, "batch_session_groups")["sessions"] == nested
    assert re.findall(r"(\w+) (?:Nullable|DateTime64|Array|String|Int64|Bool)", nested) == NESTED


def test_every_column_of_every_table_says_what_it_is(store: Store) -> None:
    ours = store.rows(
        "SELECT table, name FROM system.columns WHERE database = 'rivermeet' AND comment = ''"
        " AND table IN (SELECT name FROM system.tables WHERE database = 'rivermeet' AND engine LIKE '%MergeTree')"
        " AND table != 'schema_migrations'"
    )
    assert ours == []


def test_what_is_appended_after_a_days_first_publication_is_late_for_it(store: Store) -> None:
    store.clear(("events_speed",))
    day = date(2026, 3, 1)
    ends = datetime(2026, 3, 2, tzinfo=UTC) + LATE_AFTER
    for number, after in enumerate((timedelta(0), timedelta(milliseconds=1))):
        store.client.command(
            "INSERT INTO events_speed (day, log_offset, append_time)"
            f" VALUES ('{day}', {number}, {(ends + after).timestamp()})"
        )
    rows = store.rows("SELECT log_offset, late FROM events_speed ORDER BY log_offset")
    assert [row["late"] for row in rows] == [False, True]


@pytest.mark.parametrize(
    "table", ["events_speed", "orders_speed", "speed_sessions", "speed_products", "speed_alerts", "speed_sightings"]
)
def test_final_reads_only_the_parts_of_the_days_asked_for(store: Store, table: str) -> None:
    store.clear((table,))
    for day in (1, 2, 3):
        store.client.command(f"INSERT INTO {table} (day) VALUES ('2026-03-0{day}')")
    (read,) = store.rows(f"EXPLAIN ESTIMATE SELECT count() FROM {table} FINAL WHERE day = '2026-03-02'")
    assert read["parts"] == 1


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("OPTIMIZE TABLE events_speed FINAL", [0, 1, 2]),
        ("DELETE FROM events_speed WHERE log_offset = 1", [0, 0, 2, 2]),
        ("ALTER TABLE events_speed DELETE WHERE log_offset = 1 SETTINGS mutations_sync = 2", [0, 0, 2, 2]),
    ],
)
def test_events_of_a_time_are_those_that_are_left(store: Store, change: str, left: list[int]) -> None:
    """After a merge and after mutations, of events that were written twice each."""
    store.clear(("events_speed",))
    rows = "SELECT '2026-03-01', number, toDateTime64('2026-03-01', 3, 'UTC') + number FROM numbers(20000)"
    for _ in range(2):
        store.client.command(f"INSERT INTO events_speed (day, log_offset, event_time) {rows}")
    store.client.command(change)
    asked = "SELECT log_offset FROM events_speed WHERE event_time < '2026-03-01 00:00:03' ORDER BY log_offset"
    assert [row["log_offset"] for row in store.rows(asked)] == left


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        ("SELECT 1", 20000),
        ("OPTIMIZE TABLE events_speed FINAL", 20000),
        ("DELETE FROM events_speed WHERE log_offset = 1", 19999),
        ("ALTER TABLE events_speed DELETE WHERE log_offset = 1 SETTINGS mutations_sync = 2", 19999),
    ],
)
def test_an_event_that_is_written_again_counts_once(store: Store, change: str, counted: int) -> None:
    """Whether the engine has counted the places already or must do so now. Day and tenant are those of all rows."""
    store.clear(("events_speed",))
    for first in (0, 0, 5000):
        rows = f"SELECT '2026-03-01', {first} + number FROM numbers({20000 - first})"
        store.client.command(f"INSERT INTO events_speed (day, log_offset) {rows}")
    store.client.command(change)
    counts = "SELECT groupBitmap(log_offset) AS n FROM events_speed GROUP BY day, tenant_id, log_epoch, log_partition"
    assert store.rows(counts) == [{"n": counted}]


def test_events_of_an_open_day_are_counted_without_reading_them(store: Store) -> None:
    store.clear(("events_speed", "batch_selections"))
    store.client.command("INSERT INTO events_speed (day, log_offset) SELECT '2026-03-01', number FROM numbers(20000)")
    steps = store.rows("EXPLAIN SELECT * FROM open_figures WHERE day = '2026-03-01'")
    plan = "\n".join(step["explain"] for step in steps)
    assert "(by_kind)" in plan
    assert "events_speed" not in plan


def test_every_table_names_its_one_writer() -> None:
    for migration in clickhouse_migrations():
        assert re.match(r"-- Writer: (streams|batch|features)\.", migration.sql), migration.name


def test_the_catalogue_and_the_views_have_the_same_metrics(store: Store) -> None:
    for grain, keys in GRAIN_KEYS.items():
        names = [metric.name for metric in METRICS if metric.grain == grain]
        assert list(columns(store, grain))[: len(keys) + len(names)] == [*keys, *names]


def test_every_view_of_the_folder_is_made() -> None:
    folder = Path(__file__).parents[2] / "serving" / "views"
    files = {path.stem for path in (*folder.glob("*.sql"), *folder.glob("analyses/*.sql"))}
    made = {name for name, sql in statements() if sql.startswith("CREATE OR REPLACE VIEW")}
    assert files == made - {f"{view}_at" for view in PINNED}
    assert set(ANALYST) <= files


def test_a_migration_is_applied_once_and_must_not_change(store: Store) -> None:
    migrations = clickhouse_migrations()
    assert migrate(store.client, migrations, ()) == []
    changed = replace(migrations[3], sql=migrations[3].sql + "-- changed")
    with pytest.raises(MigrationChanged) as refused:
        migrate(store.client, [*migrations[:3], changed], ())
    assert refused.value.number == changed.number
