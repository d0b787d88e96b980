"""The rows of days: what a recompute writes, folded from the landed events of whole groups."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import polars as pl

from schemas import orders, products, sessions
from schemas.frames import EVENT_COLUMNS, ORDER_COLUMNS, utc_day
from schemas.sessions import SESSION_COLUMNS, SessionRules

Tables = dict[str, pl.DataFrame]
"""Table of ClickHouse -> rows with `day`, to which a load adds the version."""


def fold_events(landed: pl.DataFrame, rules: SessionRules) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(used events, sessions with their reach) of whole groups, from landed events (`EVENT_COLUMNS`)."""
    used = sessions.without_duplicates(landed)
    return used, sessions.fold(used, rules)


def event_tables(used: pl.DataFrame, folded: pl.DataFrame, days: Collection[date]) -> Tables:
    """Rows of the dataset `events` for the days: facts and product counts by event day, sessions by their first day."""
    facts = used.select(*EVENT_COLUMNS).with_columns(day=utc_day("event_time")).filter(_of(days))
    rows = folded.select(*SESSION_COLUMNS).with_columns(day=utc_day("session_start")).filter(_of(days))
    counters = products.count(facts, ["day", "tenant_id", "product_id"])
    return {"batch_events": facts, "batch_sessions": rows, "batch_products": counters}


def order_tables(landed: pl.DataFrame, days: Collection[date]) -> Tables:
    """Rows of the dataset `orders` for the days, from landed facts (`ORDER_COLUMNS`) of whole transactions."""
    used = orders.without_duplicates(landed).select(*ORDER_COLUMNS)
    return {"batch_orders": used.with_columns(day=utc_day("order_time")).filter(_of(days))}


def count_by_day(tables: Tables) -> dict[str, dict[date, int]]:
    """Table -> day -> rows."""
    return {name: dict(rows.group_by("day").len().iter_rows()) for name, rows in tables.items()}


def _of(days: Collection[date]) -> pl.Expr:
    return pl.col("day").is_in(sorted(days))
