"""What users care about: interest in products by day, and the affinity that it adds up to, with decay over time.

A page view or a click is a point, a product put in a cart three, a purchase five. A purchase that is known both from
its event and from the order counts once a day. A point halves every `HALF_LIFE` days, so the affinity of a day is

    score = sum over the last 30 days of points * 0.5 ** (age in days / HALF_LIFE)

and `share` is the score over the user's sum of all scores of the dimension, 0..1.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from schemas.frames import TIMESTAMP
from schemas.lateness import start_of
from schemas.products import COUNTERS

WINDOW = 30
HALF_LIFE = 7.0
POINTS = {"views": 1, "clicks": 1, "add_to_carts": 3}
PURCHASE_POINTS = 5
KEPT = {"category": 10, "product": 20}
"""Dimension -> how many of the greatest are kept per user."""

USER_INTEREST_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "user_id": pl.String(),
    "product_id": pl.String(),
    "source": pl.String(),
    "category": pl.String(),
    **dict.fromkeys(COUNTERS, pl.Int64()),
    "bought": pl.Int64(),
}
"""A row per user, product, day and source: counters of events, or `bought`, the lines of completed orders. `category`
is what the records say of the product, null where they say nothing."""

USER_AFFINITY_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "user_id": pl.String(),
    "dimension": pl.String(),
    "value": pl.String(),
    "event_time": TIMESTAMP,
    "score": pl.Float64(),
    "share": pl.Float64(),
    "rank": pl.Int64(),
}


def category_of_properties() -> pl.Expr:
    """The property `category` of an event, null if it has none."""
    entry = pl.element()
    values = pl.col("properties").list.eval(entry.struct.field("value").filter(entry.struct.field("key") == "category"))
    return values.list.last()


def of_events(events: pl.DataFrame) -> pl.DataFrame:
    """Interest by the used events of signed-in users (`EVENT_COLUMNS` and `day`)."""
    kind = pl.col("event_type")
    named = events.filter(pl.col("user_id").is_not_null() & (pl.col("product_id") != ""))
    named = named.filter(kind.is_in(list(COUNTERS.values()))).with_columns(category=category_of_properties())
    counters = {name: (kind == of).sum() for name, of in COUNTERS.items()}
    rows = named.group_by("day", "tenant_id", "user_id", "product_id").agg(category=_last_category(), **counters)
    return _complete(rows.with_columns(source=pl.lit("events"), bought=0))


def of_orders(orders: pl.DataFrame) -> pl.DataFrame:
    """Interest by the lines of completed orders (`ORDER_COLUMNS` and `day`)."""
    lines = order_lines(orders)
    rows = lines.group_by("day", "tenant_id", "user_id", "product_id").agg(category=_last_category(), bought=pl.len())
    return _complete(rows.with_columns(source=pl.lit("orders"), **dict.fromkeys(COUNTERS, pl.lit(0))))


def order_lines(orders: pl.DataFrame) -> pl.DataFrame:
    """The lines of completed orders that sell something: the order's columns with those of the item."""
    lines = orders.filter(pl.col("status") == "completed").explode("items").filter(pl.col("items").is_not_null())
    lines = lines.unnest("items").filter((pl.col("product_id") != "") & (pl.col("quantity") > 0))
    return lines.with_columns(category=pl.col("category").replace("", None))


def affinity(interest: pl.DataFrame, day: date) -> pl.DataFrame:
    """`USER_AFFINITY_COLUMNS` and `day`, from interest in which every product has the category it is known by."""
    recent = interest.filter(pl.col("day").is_between(day - timedelta(days=WINDOW - 1), day))
    daily = recent.group_by("day", "tenant_id", "user_id", "product_id").agg(
        pl.col("category").drop_nulls().first(),
        points=pl.sum_horizontal(pl.col(name).sum() * points for name, points in POINTS.items())
        + PURCHASE_POINTS * pl.max_horizontal(pl.col("purchases").sum(), pl.col("bought").sum()),
    )
    age = (pl.lit(day) - pl.col("day")).dt.total_days()
    decayed = daily.with_columns(score=pl.col("points") * (0.5 ** (age / HALF_LIFE)))
    parts = [_top(decayed.with_columns(value=pl.col(name)), dimension) for dimension, name in _DIMENSIONS.items()]
    found = pl.concat(parts).with_columns(day=pl.lit(day), event_time=pl.lit(start_of(day + timedelta(days=1))))
    columns = {**USER_AFFINITY_COLUMNS, "day": pl.Date()}
    return found.select(pl.col(name).cast(kind) for name, kind in columns.items())


_DIMENSIONS = {"category": "category", "product": "product_id"}


def _top(decayed: pl.DataFrame, dimension: str) -> pl.DataFrame:
    user = ["tenant_id", "user_id"]
    summed = decayed.filter(pl.col("value").is_not_null()).sort("day").group_by([*user, "value"], maintain_order=True)
    scores = summed.agg(pl.col("score").sum()).filter(pl.col("score") > 0)
    ordered = scores.sort(*user, "score", "value", descending=[False, False, True, False])
    ranked = ordered.with_columns(
        dimension=pl.lit(dimension),
        share=pl.col("score") / pl.col("score").sum().over(user),
        rank=pl.int_range(1, pl.len() + 1).over(user),
    )
    return ranked.filter(pl.col("rank") <= KEPT[dimension])


def _last_category() -> pl.Expr:
    """One of several categories, always the same one."""
    return pl.col("category").drop_nulls().max()


def _complete(rows: pl.DataFrame) -> pl.DataFrame:
    columns = {**USER_INTEREST_COLUMNS, "day": pl.Date()}
    return rows.select(pl.col(name).cast(kind) for name, kind in columns.items())
