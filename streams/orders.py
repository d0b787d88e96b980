"""Order facts of the speed layer: new facts and repeated ones told apart."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from schemas.frames import ORDER_COLUMNS
from schemas.orders import SAME_FACT, first_offsets

STATE_COLUMNS = {column: ORDER_COLUMNS[column] for column in (*SAME_FACT, "log_offset")}
"""What tells a repeated fact."""


@dataclass(frozen=True)
class OrderChange:
    """`used` and `duplicates` (with `first_offset`) split the new facts (`ORDER_COLUMNS`); `facts` is the memory."""

    used: pl.DataFrame
    duplicates: pl.DataFrame
    facts: pl.DataFrame


def apply(known: pl.DataFrame, new: pl.DataFrame) -> OrderChange:
    """`known` holds all facts (`STATE_COLUMNS`) of the transactions that `new` (`ORDER_COLUMNS`) touches."""
    both = pl.concat([known.select(*STATE_COLUMNS), new.select(*STATE_COLUMNS)]).unique(maintain_order=True)
    marked = first_offsets(both)
    verdicts = new.join(marked, on=[*SAME_FACT, "log_offset"])
    wins = pl.col("log_offset") == pl.col("first_offset")
    return OrderChange(
        used=verdicts.filter(wins).select(*ORDER_COLUMNS),
        duplicates=verdicts.filter(~wins),
        facts=marked.filter(wins).select(*STATE_COLUMNS),
    )
