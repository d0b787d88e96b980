"""Breakdowns are the metrics of the catalogue within each member, counted here by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from schemas import breakdowns, metrics
from schemas.frames import ORDER_COLUMNS
from schemas.metrics import Metric
from schemas.sessions import SESSION_COLUMNS

DAY = date(2026, 3, 2)
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def sessions(*rows: dict[str, object]) -> pl.LazyFrame:
    blank = {"day": DAY, "tenant_id": "t", "session_start": AT, "converted": False, "engaged": True, "overlong": False}
    named = [
        blank | {"duration_ms": 1000, "visitor_id": row.get("user_id") or f"s{n}"} | row for n, row in enumerate(rows)
    ]
    return pl.LazyFrame(named, schema={**SESSION_COLUMNS, "day": pl.Date()})


def orders(*rows: dict[str, object]) -> pl.LazyFrame:
    blank = {"day": DAY, "tenant_id": "t", "order_time": AT, "currency": "EUR", "status": "completed", "items": []}
    return pl.LazyFrame([blank | row for row in rows], schema={**ORDER_COLUMNS, "day": pl.Date()})


def figures(rows: pl.LazyFrame, metric: str, dimension: str) -> dict[str, float]:
    found = breakdowns.with_ratios(rows.collect()).filter(metric=metric, dimension=dimension)
    return {
        member + currency: value for member, currency, value in found.select("member", "currency", "value").iter_rows()
    }


def line(category: str, quantity: int, price: int) -> dict[str, object]:
    return {"product_id": "p", "quantity": quantity, "price_minor": price, "category": category}


def test_users_are_distinct_within_a_member_and_within_all() -> None:
    rows = sessions(
        {"user_id": "u", "device_class": "phone", "country": "DE", "converted": True},
        {"user_id": "u", "device_class": "desktop", "country": "DE"},
        {"user_id": None, "device_class": "phone"},
    )
    made = breakdowns.break_down(rows, "sessions")
    assert figures(made, "active_users", "device") == {"desktop": 1, "phone": 1}
    assert figures(made, "active_users", "all") == {"": 1}
    assert figures(made, "visitors", "all") == {"": 2}
    assert figures(made, "sessions", "country") == {"DE": 2, "unknown": 1}
    assert figures(made, "conversion_rate", "device") == {"desktop": 0, "phone": 0.5}
    assert figures(made, "sessions", "hour") == {"09": 3}


def test_money_keeps_its_currency_and_categories_count_lines() -> None:
    rows = orders(
        {"user_id": "u", "amount_minor": 700, "items": [line("a", 2, 300), line("b", 1, 100)]},
        {"user_id": "u", "amount_minor": 100, "items": [line("b", 1, 100)], "status": "refunded"},
        {"user_id": "v", "amount_minor": 900, "items": [line("a", 3, 300)], "currency": "USD"},
    )
    made = breakdowns.break_down(rows, "orders")
    assert figures(made, "net_revenue_minor", "all") == {"EUR": 600, "USD": 900}
    assert figures(made, "avg_order_value_minor", "all") == {"EUR": 700, "USD": 900}
    sold = breakdowns.categories(rows)
    assert figures(sold, "units", "category") == {"aEUR": 2, "aUSD": 3, "bEUR": 1}
    assert figures(sold, "sales_minor", "category") == {"aEUR": 600, "aUSD": 900, "bEUR": 100}


def test_a_user_returns_who_was_there_in_the_month_before() -> None:
    rows = sessions({"user_id": "new"}, {"user_id": "back"}, {"user_id": "long ago"}, {"user_id": "back"}, {})
    earlier = pl.LazyFrame(
        [(date(2026, 3, 1), "t", "back"), (date(2026, 1, 1), "t", "long ago"), (DAY, "t", "new"), (DAY, "x", "new")],
        schema={"day": pl.Date, "tenant_id": pl.String, "user_id": pl.String},
        orient="row",
    )
    made = breakdowns.loyalty(rows, earlier)
    assert figures(made, "new_users", "all") == {"": 2}
    assert figures(made, "returning_users", "all") == {"": 1}


def test_a_metric_that_the_catalogue_gets_is_broken_down_without_more(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Metric("long_sessions", "daily_metrics", "count", "sessions", "x", "sessions", where="duration_ms > 5000")
    monkeypatch.setattr(breakdowns, "METRICS", (*metrics.METRICS, long))
    made = breakdowns.break_down(sessions({"duration_ms": 6000}, {"duration_ms": 4000}), "sessions")
    assert figures(made, "long_sessions", "all") == {"": 1}
