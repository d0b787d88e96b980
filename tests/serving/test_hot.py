"""States are found by key with their history, and popularity, open sessions and orders say what their words say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from infra.clients.clickhouse import insert
from schemas.frames import TIMESTAMP
from schemas.lateness import Horizon
from schemas.products import COUNTERS, score, sold, top
from schemas.sessions import SessionRules
from schemas.verdicts import READERS, STATE_TOPICS
from streams import states
from streams.engine import Engine
from streams.records import TRANSACTIONS, USER_EVENTS, Range, Records
from tests.merge.frames import event_frame, order_frame
from tests.merge.store import BATCH, SPEED, Store
from tests.merge.ticks import writes
from tests.oracle.log import event, order

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VALUES = {
    "tenant_id": "t",
    "user_id": "u",
    "product_id": "p",
    "warehouse": "main",
    "ticket_id": "k",
    "source": "ads",
    "metric": "spend",
    "unit": "EUR",
    "status": "open",
    "schema_id": 1,
    "log_epoch": 1,
    "log_partition": 0,
    "attributes": [],
    "segments": [],
}
HISTORY: dict[str, tuple[str, str, str, list[Any]]] = {
    "user-profiles": ("profiles", "profile_history", "country", ["SE", "DE", "FI"]),
    "inventory-updates": ("inventory", "inventory_history", "quantity", [5, 3, -1]),
    "service-tickets": ("tickets", "ticket_history", "status", ["open", "closed", "pending"]),
    "external-signals": ("current_signals", "signals", "value", [1.0, 2.0, 3.0]),
}


def blank(kind: pl.DataType) -> object:
    return {pl.String: "", pl.Int32: 0, pl.Float64: 0.0}.get(type(kind))


@pytest.mark.parametrize("topic", STATE_TOPICS)
def test_of_a_key_the_newest_state_is_found_whatever_the_order_of_arrival(store: Store, topic: str) -> None:
    """The second record is the newest; the third came last, but is older. A replay changes nothing."""
    store.clear(SPEED + BATCH)
    reader, (latest, history, column, values) = READERS[topic], HISTORY[topic]
    rows = [
        {name: blank(kind) for name, kind in reader.columns.items()}
        | {name: value for name, value in VALUES.items() if name in reader.columns}
        | {column: value, reader.time: NOON + timedelta(minutes=minute), "append_time": NOON, "log_offset": offset}
        for offset, (value, minute) in enumerate(zip(values, (0, 9, 5), strict=True))
    ]
    for _ in range(2):
        for table, frame in states.rows({topic: pl.DataFrame(rows, schema=reader.columns)}).items():
            insert(store.client, table, frame)
    [found] = store.rows(f"SELECT * FROM {latest}")
    assert found[column] == values[1]
    assert sorted(row["log_offset"] for row in store.rows(f"SELECT * FROM {history}")) == [0, 1, 2]
    assert {str(row["day"]) for row in store.rows(f"SELECT day FROM {history}")} == {"2026-03-01"}


def test_a_figure_given_again_for_the_same_time_replaces_the_first(store: Store) -> None:
    store.clear(SPEED + BATCH)
    reader = READERS["external-signals"]
    rows = [
        {name: blank(kind) for name, kind in reader.columns.items()}
        | {name: value for name, value in VALUES.items() if name in reader.columns}
        | {"observed_at": NOON, "append_time": NOON + timedelta(hours=n), "log_offset": n, "value": float(n)}
        for n in range(2)
    ]
    for table, frame in states.rows({"external-signals": pl.DataFrame(rows, schema=reader.columns)}).items():
        insert(store.client, table, frame)
    assert [row["value"] for row in store.rows("SELECT value FROM signals")] == [1.0]


def test_views_over_what_the_engine_wrote(store: Store) -> None:
    store.clear(SPEED + BATCH)
    events = [
        event(0, "2026-03-01 11:00", page="/a", product="p", session="old", append="2026-03-01 12:00"),
        event(1, "2026-03-01 11:30:00.001", product="q", session="open", append="2026-03-01 12:00"),
        event(2, "2026-03-01 12:00", "purchase", product="p", session="new", append="2026-03-01 12:00"),
        event(3, "2026-03-01 11:30", "click", product="q", session="ended", append="2026-03-01 12:00"),
    ]
    orders = [
        order(0, "2026-03-01 11:58", 10.0, user="ann", append="2026-03-01 12:00"),
        order(1, "2026-03-01 11:59", 20.0, user="ann", append="2026-03-01 12:00"),
        order(2, "2026-03-01 11:59", 7.0, "refunded", user="ann", append="2026-03-01 12:00"),
        order(3, "2026-03-01 11:59", 500, currency="JPY", user="ann", append="2026-03-01 12:00"),
    ]
    ranges = (Range(USER_EVENTS, 1, 0, 0, 4, NOON, NOON), Range(TRANSACTIONS, 1, 0, 0, 4, NOON, NOON))
    worker = Engine((store.client, store.client), lambda _: pytest.fail("not asked"), SessionRules(), Horizon(7))
    records = Records(ranges, event_frame(events), order_frame(orders), pl.DataFrame())
    for write in writes(worker, records):
        insert(store.client, write.table, write.rows)

    active = store.rows("SELECT session_id FROM active_sessions ORDER BY session_id")
    assert [row["session_id"] for row in active] == ["new", "open"]
    bought = store.rows("SELECT currency, orders, mean_minor FROM user_orders ORDER BY currency")
    assert [tuple(row.values()) for row in bought] == [("EUR", 2, 1500.0), ("JPY", 1, 500.0)]

    windows = pl.DataFrame(store.rows("SELECT * FROM product_popularity")).with_columns(
        pl.col("window_start").cast(TIMESTAMP)
    )
    want = {(row["tenant_id"], row["product_id"]): row["score"] for row in score(windows, NOON).iter_rows(named=True)}
    got = {(row["tenant_id"], row["product_id"]): row for row in store.rows("SELECT * FROM trending_products")}
    assert {key: row["score"] for key, row in got.items()} == pytest.approx(want)
    assert want["default", "p"] == pytest.approx(20 + 2 ** (-55 / 60))
    assert got["default", "p"]["units"] == 3
    assert [row["product_id"] for row in top(windows, "purchases", 1).iter_rows(named=True)] == ["p"]
    lines = sold(order_frame(orders)).sort("currency")
    assert lines.select("currency", "units", "revenue_minor", "category").rows() == [
        ("EUR", 2, 3000, "c"),
        ("JPY", 1, 500, "c"),
    ]


def test_the_top_of_each_window_and_category_is_one_answer() -> None:
    counts = pl.DataFrame(
        {"tenant_id": ["t"] * 5, "category": list("aaabb"), "product_id": list("zyxwv"), "views": [1, 3, 3, 1, 2]}
    )
    best = top(counts, "views", 2, ("tenant_id", "category"))
    assert best["product_id"].to_list() == ["x", "y", "v", "w"]
    assert set(COUNTERS) == {"views", "clicks", "add_to_carts", "purchases"}
