"""Features of products and pairs against figures that plain Python works out from the same records."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from math import log2
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import pairs, product_activity, quintiles
from schemas.frames import EVENT_COLUMNS, ORDER_COLUMNS
from schemas.product_activity import BAND_KEYS, PRIOR_VIEWS

DAY = date(2026, 3, 31)
KINDS = ["page_view", "page_view", "click", "add_to_cart", "purchase", "search"]

events = st.fixed_dictionaries(
    {
        "age": st.integers(0, 35),
        "session": st.sampled_from("abc"),
        "product": st.sampled_from(["p", "q", "r", None]),
        "kind": st.sampled_from(KINDS),
    }
)
lines = st.fixed_dictionaries(
    {
        "product": st.sampled_from(["p", "q", "r"]),
        "quantity": st.integers(-1, 3),
        "price": st.integers(1, 5000),
    }
)
orders = st.fixed_dictionaries(
    {
        "age": st.integers(0, 35),
        "status": st.sampled_from(["completed", "completed", "refunded"]),
        "currency": st.sampled_from(["EUR", "EUR", "GBP"]),
        "lines": st.lists(lines, max_size=3),
    }
)


def event_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    full = [
        {
            "day": DAY - timedelta(days=row["age"]),
            "tenant_id": "t",
            "session_id": row["session"],
            "log_epoch": 1,
            "log_partition": 0,
            "product_id": row["product"],
            "event_type": row["kind"],
            "properties": [],
        }
        for row in rows
    ]
    return pl.DataFrame(full, schema={**EVENT_COLUMNS, "day": pl.Date()})


def order_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    noon = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC)
    full = [
        {
            "day": DAY - timedelta(days=row["age"]),
            "tenant_id": "t",
            "transaction_id": f"x{number}",
            "log_epoch": 1,
            "log_partition": 0,
            "log_offset": number,
            "status": row["status"],
            "currency": row["currency"],
            "order_time": noon - timedelta(days=row["age"]) + timedelta(seconds=number),
            "items": [
                {
                    "product_id": line["product"],
                    "quantity": line["quantity"],
                    "price_minor": line["price"],
                    "category": "c",
                }
                for line in row["lines"]
            ],
        }
        for number, row in enumerate(rows)
    ]
    return pl.DataFrame(full, schema={**ORDER_COLUMNS, "day": pl.Date()})


def sold(rows: list[dict[str, Any]], product: str) -> list[dict[str, Any]]:
    return [
        {**line, "age": row["age"], "currency": row["currency"], "order": number, "place": place}
        for number, row in enumerate(rows)
        if row["status"] == "completed" and row["age"] < 30
        for place, line in enumerate(row["lines"])
        if line["product"] == product and line["quantity"] > 0
    ]


@given(st.lists(events, max_size=25), st.lists(orders, max_size=10))
def test_product_features_are_what_the_records_say(
    own_events: list[dict[str, Any]], own_orders: list[dict[str, Any]]
) -> None:
    parts = [product_activity.of_events(event_frame(own_events)), product_activity.of_orders(order_frame(own_orders))]
    activity = pl.concat(parts)
    found = product_activity.product_features(activity, product_activity.shop_rates(activity), DAY)
    got = {row["product_id"]: row for row in found.to_dicts()}
    counted = [row for row in own_events if row["age"] < 30 and row["product"] and row["kind"] != "search"]
    shop_views = sum(row["kind"] == "page_view" for row in counted)
    shop_rate = sum(row["kind"] == "purchase" for row in counted) / shop_views if shop_views else 0.0
    everything = [row["age"] for row in counted] + [row["age"] for p in "pqr" for row in sold(own_orders, p)]
    for product in "pqr":
        own, sales = [row for row in counted if row["product"] == product], sold(own_orders, product)
        if not own and not sales:
            assert product not in got
            continue
        row = got[product]
        kinds = Counter(
            (kind, span)
            for kind in set(KINDS)
            for span in (1, 7, 30)
            for r in own
            if r["kind"] == kind and r["age"] < span
        )
        views = {span: kinds["page_view", span] for span in (1, 7, 30)}
        for span in (1, 7, 30):
            assert row[f"views_{span}d"] == views[span]
            assert row[f"carts_{span}d"] == kinds["add_to_cart", span]
            assert row[f"purchases_{span}d"] == kinds["purchase", span]
        bought = kinds["purchase", 30]
        assert row["conversion_30d"] == (bought / views[30] if views[30] else None)
        assert row["popularity"] == pytest.approx((bought + PRIOR_VIEWS * shop_rate) / (views[30] + PRIOR_VIEWS))
        assert row["trend"] == pytest.approx(log2((views[7] / 7 + 1) / ((views[30] - views[7]) / 23 + 1)))
        first = max([r["age"] for r in own] + [s["age"] for s in sales])
        assert row["first_seen_days_ago"] == first
        assert row["is_new"] == (first < 7 and max(everything) > first)
        units = Counter[str]()
        for sale in sales:
            units[sale["currency"]] += sale["quantity"]
        main = min(units, key=lambda name: (-units[name], name)) if units else None
        assert row["currency"] == main
        in_main = [sale for sale in sales if sale["currency"] == main]
        for span in (1, 7, 30):
            revenue = sum(sale["price"] * sale["quantity"] for sale in in_main if sale["age"] < span)
            assert row[f"revenue_minor_{span}d"] == revenue
        if in_main:
            last = min(in_main, key=lambda s: (s["age"], -s["order"], -s["price"]))
            assert row["price_minor"] == last["price"]
            assert row["lowest_price_minor"] == min(sale["price"] for sale in in_main)
            assert row["highest_price_minor"] == max(sale["price"] for sale in in_main)


def test_a_price_band_compares_products_of_one_category_and_currency() -> None:
    sales = [
        {
            "age": 1,
            "status": "completed",
            "currency": currency,
            "lines": [{"product": f"{currency}{n}", "quantity": 1, "price": 100 * (n + 1)}],
        }
        for currency in ("EUR", "JPY")
        for n in range(5)
    ]
    activity = product_activity.of_orders(order_frame(sales))
    found = product_activity.product_features(activity, product_activity.shop_rates(activity), DAY)
    banded = product_activity.with_bands(found, quintiles.scores(product_activity.priced(found), BAND_KEYS))
    bands = dict(banded.select("product_id", "price_band").iter_rows())
    assert bands == {f"{currency}{n}": n + 1 for currency in ("EUR", "JPY") for n in range(5)}


@given(st.lists(events, max_size=25))
def test_pairs_are_counted_by_basket(rows: list[dict[str, Any]]) -> None:
    found = pairs.of_events(event_frame(rows))
    baskets: dict[tuple[int, str], set[str]] = {}
    for row in rows:
        if row["product"] and row["kind"] != "search":
            baskets.setdefault((row["age"], row["session"]), set()).add(row["product"])
    wanted: Counter[tuple[int, str, str]] = Counter()
    for (age, _), products in baskets.items():
        wanted[age, "", ""] += 1
        wanted.update((age, p, p) for p in products)
        wanted.update((age, *pair) for pair in combinations(sorted(products), 2))
    got = {((DAY - row["day"]).days, row["product_a"], row["product_b"]): row["baskets"] for row in found.to_dicts()}
    assert got == dict(wanted)


def test_the_score_of_a_pair_is_its_lift_drawn_to_one() -> None:
    row = {"tenant_id": "t", "kind": "order", "product_id": "a", "baskets_with_product": 10, "baskets": 100, "day": DAY}
    seen = pl.DataFrame(
        [
            {**row, "neighbour_id": "often", "baskets_with_both": 8, "baskets_with_neighbour": 10},
            {**row, "neighbour_id": "rare", "baskets_with_both": 2, "baskets_with_neighbour": 2},
            {**row, "neighbour_id": "once", "baskets_with_both": 1, "baskets_with_neighbour": 1},
        ]
    )
    found = pairs.neighbours(seen, DAY).to_dicts()
    assert [(one["neighbour_id"], one["rank"]) for one in found] == [("often", 1), ("rare", 2)]
    assert [one["lift"] for one in found] == [pytest.approx(8.0), pytest.approx(10.0)]
    assert [one["score"] for one in found] == [pytest.approx(13 / 6), pytest.approx(7 / 5.2)]
    assert found[0]["confidence"] == 0.8


def test_a_robot_makes_few_pairs() -> None:
    rows = [{"age": 0, "session": "a", "product": f"p{n:03}", "kind": "click"} for n in range(200)]
    found = pairs.of_events(event_frame(rows))
    assert found.height == 1 + pairs.MAX_PRODUCTS * (pairs.MAX_PRODUCTS + 1) // 2
