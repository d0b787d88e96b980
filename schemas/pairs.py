"""Which products go together: counts of baskets per day, and the lift that 30 days of them show.

A basket is what one session group looked at on a day (`kind` session), or a completed order (`kind` order).
With n baskets, of which a hold one product, b the other and both hold the two, chance alone would give e = a * b / n:

    lift = both / e
    score = (both + K) / (e + K)        K = `SHRINKAGE`

The score is the lift drawn to 1 where little was seen: the mean of a Gamma-Poisson model with prior Gamma(K, K), after
DuMouchel, Bayesian data mining in large frequency tables, 1999. Without it, two rare products bought together once
would have the greatest lift of all.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from schemas.affinity import order_lines
from schemas.frames import GROUP, ORDER_GROUP, TIMESTAMP
from schemas.lateness import start_of

WINDOW = 30
SHRINKAGE = 5.0
LEAST_BASKETS = 2
"""Pairs seen in fewer baskets are left out."""
NEIGHBOURS = 50
"""Neighbours kept per product and kind."""
MAX_PRODUCTS = 50
"""Of a larger basket, as robots have, only the first so many products by name make pairs."""

ALL = ""
"""In place of both products: the count of all baskets. No product has a blank id here."""

CO_OCCURRENCE_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "source": pl.String(),
    "product_a": pl.String(),
    "product_b": pl.String(),
    "baskets": pl.Int64(),
}
"""A row per day, source (events: sessions, orders: orders) and two products, the lesser first: how many baskets hold
both. The same product twice: how many hold it. `ALL` twice: how many there are."""

NEIGHBOUR_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "kind": pl.String(),
    "product_id": pl.String(),
    "neighbour_id": pl.String(),
    "event_time": TIMESTAMP,
    "baskets_with_both": pl.Int64(),
    "baskets_with_product": pl.Int64(),
    "baskets_with_neighbour": pl.Int64(),
    "baskets": pl.Int64(),
    "lift": pl.Float64(),
    "score": pl.Float64(),
    "confidence": pl.Float64(),
    "rank": pl.Int64(),
}
KINDS = {"events": "session", "orders": "order"}


def of_events(events: pl.DataFrame) -> pl.DataFrame:
    """Co-occurrence in sessions: products viewed, clicked, put in a cart or bought; whole groups together."""
    seen = events.filter((pl.col("product_id") != "") & (pl.col("event_type") != "search"))
    return _co_occurrence(seen, GROUP, "events")


def of_orders(orders: pl.DataFrame) -> pl.DataFrame:
    """Co-occurrence in completed orders."""
    return _co_occurrence(order_lines(orders), [*ORDER_GROUP, "log_offset"], "orders")


def neighbours(pairs: pl.DataFrame, day: date) -> pl.DataFrame:
    """`NEIGHBOUR_COLUMNS` and `day`: the best of each product, from the pairs of `both_ways`."""
    expected = pl.col("baskets_with_product") * pl.col("baskets_with_neighbour") / pl.col("baskets")
    scored = pairs.filter(pl.col("baskets_with_both") >= LEAST_BASKETS).with_columns(
        day=pl.lit(day),
        event_time=pl.lit(start_of(day + timedelta(days=1))),
        lift=pl.col("baskets_with_both") / expected,
        score=(pl.col("baskets_with_both") + SHRINKAGE) / (expected + SHRINKAGE),
        confidence=pl.col("baskets_with_both") / pl.col("baskets_with_product"),
    )
    product = ["tenant_id", "kind", "product_id"]
    ordered = scored.sort(*product, "score", "neighbour_id", descending=[False] * 3 + [True, False])
    ranked = ordered.with_columns(rank=pl.int_range(1, pl.len() + 1).over(product))
    columns = {**NEIGHBOUR_COLUMNS, "day": pl.Date()}
    return ranked.filter(pl.col("rank") <= NEIGHBOURS).select(pl.col(name).cast(kind) for name, kind in columns.items())


def _co_occurrence(rows: pl.DataFrame, basket: list[str] | tuple[str, ...], source: str) -> pl.DataFrame:
    keys = ["day", *dict.fromkeys(["tenant_id", *basket])]
    held = rows.select(*keys, "product_id").unique().sort(*keys, "product_id")
    held = held.with_columns(place=pl.int_range(pl.len()).over(keys)).filter(pl.col("place") < MAX_PRODUCTS)
    both = held.join(held, on=keys, suffix="_b").filter(pl.col("product_id") <= pl.col("product_id_b"))
    counted = both.group_by("day", "tenant_id", product_a="product_id", product_b="product_id_b").agg(baskets=pl.len())
    totals = held.select(keys).unique().group_by("day", "tenant_id").agg(baskets=pl.len())
    totals = totals.with_columns(product_a=pl.lit(ALL), product_b=pl.lit(ALL)).select(counted.columns)
    found = pl.concat([counted, totals]).with_columns(source=pl.lit(source))
    return found.select(pl.col(name).cast(kind) for name, kind in {**CO_OCCURRENCE_COLUMNS, "day": pl.Date()}.items())
