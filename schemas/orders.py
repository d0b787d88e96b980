"""Order facts: one status change of a transaction, booked on its own UTC day, so that days never change afterwards."""

from __future__ import annotations

import polars as pl

from schemas.frames import ORDER_GROUP

SAME_FACT = (*ORDER_GROUP, "status", "order_time")
"""Facts that agree in these are one fact; the lowest offset wins."""


def first_offsets(orders: pl.DataFrame) -> pl.DataFrame:
    """Adds `first_offset`: the lowest offset of the same fact. Any other row is a duplicate."""
    return orders.with_columns(first_offset=pl.col("log_offset").min().over(SAME_FACT))


def without_duplicates(orders: pl.DataFrame) -> pl.DataFrame:
    """The facts that count: of one fact only the lowest offset, and each position once."""
    first = first_offsets(orders).filter(pl.col("log_offset") == pl.col("first_offset"))
    return first.drop("first_offset").unique([*ORDER_GROUP, "log_offset"], keep="last", maintain_order=True)
