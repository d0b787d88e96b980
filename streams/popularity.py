"""Product counters of the speed layer: absolute counts per 5-minute window of event time, product and partition."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from schemas.frames import TIMESTAMP, utc_day
from schemas.products import COUNTERS, count, product_events, window_start

WINDOW_KEYS = ("day", "window_start", "tenant_id", "product_id", "log_epoch", "log_partition")
WINDOW_COLUMNS: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "window_start": TIMESTAMP,
    "tenant_id": pl.String(),
    "product_id": pl.String(),
    "log_epoch": pl.Int32(),
    "log_partition": pl.Int32(),
    "as_of": pl.Int64(),
    **{name: pl.Int64() for name in COUNTERS},
}
"""A row of `speed_products`: counts as of the offset of the last event counted."""


def count_windows(events: pl.DataFrame) -> pl.DataFrame:
    """`WINDOW_COLUMNS` of used events."""
    keyed = product_events(events).with_columns(day=utc_day("event_time"), window_start=window_start())
    last = keyed.group_by(WINDOW_KEYS).agg(as_of=pl.col("log_offset").max())
    return count(keyed, WINDOW_KEYS).join(last, on=WINDOW_KEYS).select(*WINDOW_COLUMNS)


def unknown_windows(
    touched: pl.DataFrame, memory: pl.DataFrame, watermarks: Mapping[int, datetime | None]
) -> pl.DataFrame:
    """The touched windows that must be fetched: not in memory, and not above everything that was applied before.

    `watermarks`: partition -> greatest event time applied before this tick, None if nothing was.
    """
    known = [partition for partition, time in watermarks.items() if time is not None]
    highest = pl.DataFrame(
        {"log_partition": known, "watermark": [watermarks[partition] for partition in known]},
        schema={"log_partition": pl.Int32, "watermark": TIMESTAMP},
    )
    missing = touched.join(memory, on=WINDOW_KEYS, how="anti").join(highest, on="log_partition")
    return missing.filter(pl.col("window_start") <= pl.col("watermark")).select(WINDOW_KEYS)


def add(known: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """The touched windows with what was known of them and what is new added up."""
    relevant = known.join(new, on=WINDOW_KEYS, how="semi").select(*WINDOW_COLUMNS)
    sums = {name: pl.col(name).sum() for name in COUNTERS}
    both = pl.concat([relevant, new]).group_by(WINDOW_KEYS, maintain_order=True)
    return both.agg(as_of=pl.col("as_of").max(), **sums).select(*WINDOW_COLUMNS)
