"""Scores from 1 to 5 by rank, in two steps that need no sort over all rows: count the values, then score each value.

The score of a value is 1 + floor(5 x share of the rows whose value is less), at most 5. Equal values have equal scores,
so that a tie never depends on the order of rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

SCORES = 5


def counted(rows: pl.DataFrame, keys: Sequence[str], value: str) -> pl.DataFrame:
    """How many rows of each key have each value: `keys`, `value` (Int64), `rows`. Counts of parts may be added."""
    known = rows.filter(pl.col(value).is_not_null())
    return known.group_by([*keys, pl.col(value).cast(pl.Int64).alias("value")]).agg(rows=pl.len().cast(pl.Int64))


def scores(counts: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The score of each value: `keys`, `value`, `score` (Int64), from added counts."""
    summed = counts.group_by([*keys, "value"]).agg(pl.col("rows").sum()).sort([*keys, "value"])
    total = pl.col("rows").sum().over(keys)
    below = pl.col("rows").cum_sum().over(keys) - pl.col("rows")
    score = (1 + SCORES * below // total).clip(upper_bound=SCORES)
    return summed.select(*keys, "value", score=score.cast(pl.Int64))


def coarse(amount: pl.Expr) -> pl.Expr:
    """The amount to three significant digits, so that there are few distinct values to count; negative ones are 0."""
    return amount.clip(lower_bound=0).cast(pl.Float64).round_sig_figs(3).cast(pl.Int64)
