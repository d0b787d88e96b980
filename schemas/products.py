"""Product counters: how often a product was viewed, clicked, put in a cart and bought, by the time of the event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

WINDOW = timedelta(minutes=5)

COUNTERS: dict[str, str] = {
    "views": "page_view",
    "clicks": "click",
    "add_to_carts": "add_to_cart",
    "purchases": "purchase",
}
"""Counter name -> the event type that it counts."""


def product_events(events: pl.DataFrame) -> pl.DataFrame:
    """The events that some counter counts: of a product, and of a counted type."""
    return events.filter(pl.col("product_id").is_not_null() & pl.col("event_type").is_in(list(COUNTERS.values())))


def window_start(column: str = "event_time") -> pl.Expr:
    """The start of the event-time window that a time lies in."""
    return pl.col(column).dt.truncate(f"{WINDOW // timedelta(minutes=1)}m")


def count(events: pl.DataFrame, keys: Sequence[str | pl.Expr]) -> pl.DataFrame:
    """One row per key with the four counters (Int64), from used events."""
    kind = pl.col("event_type")
    counters = {name: (kind == of).sum().cast(pl.Int64) for name, of in COUNTERS.items()}
    return product_events(events).group_by(keys, maintain_order=True).agg(**counters)
