"""Product counters: how often a product was viewed, clicked, put in a cart and bought, by the time of the event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

WINDOW = timedelta(minutes=5)

COUNTERS: dict[str, str] = {
    "views": "page_view",
    "clicks": "click",
    "add_to_carts": "add_to_cart",
    "purchases": "purchase",
}
"""Counter name -> the event type that it counts."""

WEIGHTS: dict[str, int] = {"views": 1, "clicks": 2, "add_to_carts": 5, "purchases": 20}
"""What one event of a counter adds to the score."""

HALF_LIFE = timedelta(hours=1)
"""After this time what was done with a product counts half."""


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


def score(windows: pl.DataFrame, at: datetime, half_life: timedelta = HALF_LIFE) -> pl.DataFrame:
    """`tenant_id`, `product_id`, `score` at a time, the highest first, from counts of windows.

    score = sum over windows of sum(WEIGHTS x counts) x 2^(-age / half_life), where the age of a window is the time
    since its end, and 0 while it is open. Windows that begin after `at` are left out.
    """
    weighted = pl.sum_horizontal(pl.col(name) * weight for name, weight in WEIGHTS.items())
    ended = pl.lit(at).cast(windows.schema["window_start"]) - pl.col("window_start") - WINDOW
    age = ended.dt.total_milliseconds().clip(lower_bound=0) / (half_life / timedelta(milliseconds=1))
    begun = windows.filter(pl.col("window_start") <= at)
    rows = begun.group_by("tenant_id", "product_id").agg(score=(weighted * pl.lit(2.0).pow(-age)).sum())
    return rows.sort(["score", "tenant_id", "product_id"], descending=[True, False, False])


def top(counts: pl.DataFrame, by: str, most: int, within: Sequence[str] = ("tenant_id",)) -> pl.DataFrame:
    """The rows with the greatest figures in column `by`, at most so many of each combination of `within`.

    `within` may name the window or the category. Equal figures are ordered by `product_id`, so that the answer is one.
    """
    ranked = counts.sort([*within, by, "product_id"], descending=[*(False for _ in within), True, False])
    return ranked.group_by(*within, maintain_order=True).head(most)


def sold(orders: pl.DataFrame) -> pl.DataFrame:
    """What completed orders (`ORDER_COLUMNS`) sold: `units`, `revenue_minor` by window, product, category and currency.

    Gross: what was refunded later is booked at its own time and takes nothing off. Figures of currencies stay apart.
    """
    lines = orders.filter(pl.col("status") == "completed").explode("items").drop_nulls("items").unnest("items")
    keys = ["tenant_id", "window_start", "product_id", "category", "currency"]
    quantity = pl.col("quantity").cast(pl.Int64)
    return (
        lines.with_columns(window_start=window_start("order_time"))
        .group_by(keys)
        .agg(units=quantity.sum(), revenue_minor=(pl.col("price_minor") * quantity).sum())
    )
