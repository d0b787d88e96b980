"""The ready analyses, on a day worked out by hand and on real data against an independent pandas version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from infra.bench.store import write_live
from infra.clients.clickhouse import insert
from schemas.frames import EVENT_COLUMNS, ORDER_COLUMNS, utc_day
from tests.infra.replay.facts import REES46_FILE
from tests.merge.store import BATCH, SPEED, Store

DAY = date(2026, 3, 2)
SPAN = f"from_day = '{DAY}', to_day = '{DAY}', tenant = ''"
KINDS = {"view": "page_view", "cart": "add_to_cart", "purchase": "purchase"}


def event(number: int, at: str, session: str, kind: str, user: str | None = None, **more: Any) -> dict[str, Any]:
    blank: dict[str, Any] = {name: [] if isinstance(kind_, pl.List) else "" for name, kind_ in EVENT_COLUMNS.items()}
    time = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return {
        **blank,
        "tenant_id": "shop",
        "session_id": session,
        "event_id": f"e{number:04}",
        "user_id": user,
        "event_type": kind,
        "event_time": time,
        "product_id": None,
        "page": None,
        "search_query": None,
        "country": None,
        "referrer": None,
        "schema_id": 1,
        "log_epoch": 1,
        "log_partition": 0,
        "log_offset": number,
        "append_time": time,
        **more,
    }


def order(number: int, status: str, amount: int, lines: list[tuple[str, int, int, str]]) -> dict[str, Any]:
    time = datetime(2026, 3, 2, 11, number, tzinfo=UTC)
    names = ("product_id", "quantity", "price_minor", "category")
    return dict.fromkeys(ORDER_COLUMNS, "") | {
        "tenant_id": "shop",
        "transaction_id": f"x{number}",
        "user_id": "u1",
        "status": status,
        "order_time": time,
        "currency": "EUR",
        "amount_minor": amount,
        "payment_method": "card",
        "items": [dict(zip(names, line, strict=True)) for line in lines],
        "schema_id": 1,
        "log_epoch": 1,
        "log_partition": 0,
        "log_offset": number,
        "append_time": time,
    }


_SHOES = [{"key": "category", "value": "shoes"}]
EVENTS = (
    event(0, "2026-03-02 09:00", "c", "page_view", product_id="p2"),
    event(1, "2026-03-02 09:59", "a", "search", "u1", search_query=" Shoes "),
    event(2, "2026-03-02 10:00", "a", "page_view", "u1", product_id="p1", properties=_SHOES),
    event(3, "2026-03-02 10:00", "b", "add_to_cart", "u2"),
    event(4, "2026-03-02 10:01", "a", "add_to_cart", "u1", product_id="p1", properties=_SHOES),
    event(5, "2026-03-02 10:02", "a", "purchase", "u1", product_id="p1", properties=_SHOES),
    event(6, "2026-03-02 10:05", "b", "page_view", "u2", product_id="p1", properties=_SHOES),
    event(7, "2026-03-02 10:06", "b", "search", "u2", search_query="shoes"),
    event(8, "2026-03-02 12:00", "c", "add_to_cart"),
    event(9, "2026-03-03 10:00", "d", "page_view", "u1"),
)


@pytest.fixture(scope="module")
def shop(store: Store) -> Iterator[Store]:
    """A store in which all events are there twice, as after a replay."""
    store.clear()
    for _ in range(2):
        write_live(store.client, pl.DataFrame(EVENTS, schema=EVENT_COLUMNS))
    facts = [
        order(1, "completed", 5000, [("p1", 2, 2000, "shoes"), ("p2", 1, 1000, "hats")]),
        order(2, "refunded", 1000, [("p2", 1, 1000, "hats")]),
        order(3, "pending", 7000, [("p2", 7, 1000, "hats")]),
    ]
    frame = pl.DataFrame(facts, schema=ORDER_COLUMNS).with_columns(day=utc_day("order_time"))
    insert(store.client, "orders_speed", frame)
    yield store
    store.clear(SPEED + BATCH)


def ask(store: Store, call: str, columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in store.rows(f"SELECT {columns} FROM {call}")]


@pytest.mark.parametrize(
    ("steps", "window", "reached"),
    [
        (["page_view", "add_to_cart", "purchase"], 3600, [3, 1, 1]),
        (["page_view", "add_to_cart", "purchase"], 4 * 3600, [3, 2, 1]),
        (["page_view", "page_view"], 3600, [3, 0]),
        (["add_to_cart", "page_view"], 300, [3, 1]),
        (["add_to_cart", "page_view"], 299, [3, 0]),
    ],
)
def test_a_funnel_is_ordered_and_within_its_window(
    shop: Store, steps: list[str], window: int, reached: list[int]
) -> None:
    call = f"funnel({SPAN}, steps = {steps}, window_s = {window}, segment_by = '')"
    assert ask(shop, call, "visitors") == [(number,) for number in reached]


def test_retention_of_first_time_cohorts(shop: Store) -> None:
    span = f"from_day = '{DAY}', to_day = '{DAY + timedelta(days=1)}', tenant = 'shop'"
    days = ask(shop, f"retention({span}, period = 'day')", "cohort, period, users, share, complete")
    assert days == [(DAY, 0, 2, 1.0, True), (DAY, 1, 1, 0.5, True)]
    weeks = ask(shop, f"retention({span}, period = 'week')", "cohort, period, users, share, complete")
    assert weeks == [(DAY, 0, 2, 1.0, False)]


def test_hourly_traffic(shop: Store) -> None:
    found = ask(shop, f"hourly_traffic({SPAN})", "hour, events, page_views, visitors, purchases")
    counts = [(9, 2, 1, 2, 0), (10, 6, 2, 2, 1), (12, 1, 0, 1, 0)]
    assert found == [(datetime(2026, 3, 2, hour, tzinfo=UTC), *rest) for hour, *rest in counts]


def test_top_products_of_a_span(shop: Store) -> None:
    span = "from_time = '2026-03-02 10:00:00', to_time = '2026-03-02 10:05:00', tenant = '', category = ''"
    assert ask(shop, f"top_products({span})", "product_id, views, add_to_carts, purchases") == [("p1", 1, 1, 1)]


@pytest.mark.parametrize("category", ["", "shoes"])
def test_top_products_count_whole_windows(shop: Store, category: str) -> None:
    """Of 10:00 to 10:05 the span has a part, 10:05 is past it."""
    span = f"from_time = '2026-03-02 10:01:30', to_time = '2026-03-02 10:02:00', tenant = '', category = '{category}'"
    assert ask(shop, f"top_products({span})", "product_id, views, add_to_carts, purchases") == [("p1", 1, 1, 1)]


def test_search_terms(shop: Store) -> None:
    found = ask(shop, f"search_terms({SPAN})", "term, searches, visitors, searches_before_purchase")
    assert found == [("shoes", 2, 2, 1)]


def test_cart_abandonment(shop: Store) -> None:
    assert ask(shop, f"cart_abandonment({SPAN})", "sessions_with_cart, abandoned") == [(3, 2)]


def test_revenue_counts_lines_or_amounts(shop: Store) -> None:
    columns = "value, orders, gross_minor, refunded_minor, net_minor"
    by_category = ask(shop, f"revenue_by({SPAN}, dimension = 'category')", columns)
    assert by_category == [("shoes", 1, 4000, 0, 4000), ("hats", 1, 1000, 1000, 0)]
    assert ask(shop, f"revenue_by({SPAN}, dimension = '')", columns) == [("", 1, 5000, 1000, 4000)]


def test_the_timeline_of_a_user(shop: Store) -> None:
    found = ask(shop, f"user_timeline({SPAN}, user = 'u1') ORDER BY at", "what")
    assert [what for (what,) in found[:5]] == ["search", "page_view", "add_to_cart", "purchase", "order completed"]


@pytest.fixture(scope="module")
def rees46(real_data: Path, store: Store) -> Iterator[pd.DataFrame]:
    """The log as pandas reads it, and the same in the store."""
    raw = pd.read_csv(real_data / REES46_FILE, dtype=str).drop_duplicates(ignore_index=True)
    raw["time"] = pd.to_datetime(raw["event_time"].str.removesuffix(" UTC"), utc=True)
    rows = [
        event(
            number,
            str(row["time"])[:19],
            row["user_session"],
            KINDS[row["event_type"]],
            row["user_id"],
            product_id=row["product_id"],
            properties=[{"key": "category", "value": row["category_code"]}]
            if isinstance(row["category_code"], str)
            else [],
        )
        for number, row in enumerate(raw.to_dict("records"))
    ]
    store.clear()
    write_live(store.client, pl.DataFrame(rows, schema=EVENT_COLUMNS))
    yield raw
    store.clear(SPEED + BATCH)


REAL_SPAN = "from_day = '2019-10-01', to_day = '2019-10-01', tenant = ''"


@pytest.mark.real_data
def test_hours_of_real_data(rees46: pd.DataFrame, store: Store) -> None:
    hours = rees46.groupby(rees46.time.dt.hour)
    want = list(zip(hours.size().index, hours.size(), hours.user_id.nunique(), strict=True))
    assert ask(store, f"hourly_traffic({REAL_SPAN})", "toHour(hour), events, visitors") == want


@pytest.mark.real_data
def test_top_products_of_real_data(rees46: pd.DataFrame, store: Store) -> None:
    smartphones = rees46[rees46.category_code.fillna("").str.startswith("electronics.smartphone")]
    counted = pd.crosstab(smartphones.product_id, smartphones.event_type)
    want = {(product, row["view"], row["cart"], row["purchase"]) for product, row in counted.iterrows()}
    span = "from_time = '2019-10-01 00:00:00', to_time = '2019-10-02 00:00:00', tenant = ''"
    call = f"top_products({span}, category = 'electronics.smartphone')"
    assert set(ask(store, call, "product_id, views, add_to_carts, purchases")) == want


@pytest.mark.real_data
def test_funnel_of_real_data(rees46: pd.DataFrame, store: Store) -> None:
    """View, then purchase: by the definition, walked through user by user."""
    reached = [0, 0]
    for _, one in rees46.sort_values("time", kind="stable").groupby("user_id"):
        views, bought = one.time[one.event_type == "view"], one.time[one.event_type == "purchase"]
        reached[0] += len(views) > 0
        reached[1] += any(((views < moment) & (moment - views <= pd.Timedelta(hours=1))).any() for moment in bought)
    call = f"funnel({REAL_SPAN}, steps = ['page_view', 'purchase'], window_s = 3600, segment_by = '')"
    assert ask(store, call, "visitors") == [(number,) for number in reached]
