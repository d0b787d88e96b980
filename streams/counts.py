"""Reads back from ClickHouse the counts of windows that the memory does not hold, as of the start of a tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from infra.clients.clickhouse import Client, select
from schemas.frames import EVENT_COLUMNS, empty
from schemas.products import WINDOW
from streams.popularity import WINDOW_COLUMNS, WINDOW_KEYS, count_windows
from streams.restore import below_start, by_keys, of_keys, once

_TABLES = ("events_speed", "batch_events")
_COUNTED = {
    name: EVENT_COLUMNS[name]
    for name in (
        "tenant_id",
        "log_epoch",
        "log_partition",
        "log_offset",
        "product_id",
        "event_type",
        "event_time",
        "append_time",
    )
}
_PRODUCT = ("tenant_id", "product_id")
_OF_PRODUCTS = f"{of_keys(*_PRODUCT)} AND day IN %(days)s AND log_partition IN %(partitions)s"
_NEWEST = f"""
SELECT * REPLACE (toDateTime64(window_start, 3) AS window_start)
FROM (SELECT {", ".join(WINDOW_COLUMNS)} FROM speed_products FINAL WHERE {{}})
"""
_ROWS = _NEWEST.format(f"{_OF_PRODUCTS} AND window_start >= %(since)s AND window_start < %(until)s")
_RECENT = _NEWEST.format(
    "day >= %(day)s AND log_partition IN %(partitions)s"
    " AND toUnixTimestamp(window_start) >= transform(log_partition, %(partitions)s, %(since)s, 0)"
)
_EVENTS = (
    f"{_OF_PRODUCTS} AND event_time >= %(since)s AND event_time < %(until)s"
    " AND toDate(append_time) <= day + %(horizon)s"
)


@dataclass(frozen=True)
class Standing:
    """A partition at the start of a tick: the offset `start`, and `hole_until` as in `Progress`."""

    start: int
    hole_until: date


class Counts:
    """Stored counts. A row is believed if it was as of an offset below the tick's start; else events are counted.

    A tick is committed when its rows are there. So the newest row of a window, if it is of below the start, counts all
    that lies there, and where none is nothing does; save on days of which records are gone from the log.
    """

    def __init__(self, client: Client, horizon_days: int) -> None:
        self._client = client
        self._horizon_days = horizon_days

    def windows(self, windows: pl.DataFrame, standings: Mapping[int, Standing]) -> pl.DataFrame:
        """Counts (`WINDOW_COLUMNS`) of these windows (`WINDOW_KEYS`); one that has none is left out."""
        newest = windows.join(self._rows(windows), on=WINDOW_KEYS, how="left")
        return self._believed(newest, standings)

    def since(self, since: Mapping[int, datetime], standings: Mapping[int, Standing]) -> pl.DataFrame:
        """Counts (`WINDOW_COLUMNS`) of all windows of some partitions that start at a time or later, one for each.

        Those times are past `hole_until`.
        """
        parameters = {
            "day": min(since.values()).date(),
            "partitions": list(since),
            "since": [round(time.timestamp()) for time in since.values()],
        }
        return self._believed(select(self._client, _RECENT, WINDOW_COLUMNS, parameters), standings)

    def _believed(self, newest: pl.DataFrame, standings: Mapping[int, Standing]) -> pl.DataFrame:
        """`newest` are the newest rows of windows, with nothing but their keys where there is none."""
        partitions = pl.DataFrame(
            [(partition, each.start, each.hole_until) for partition, each in standings.items()],
            schema={"log_partition": pl.Int32, "start": pl.Int64, "hole_until": pl.Date},
            orient="row",
        )
        newest = newest.join(partitions, on="log_partition")
        believed = (pl.col("day") > pl.col("hole_until")) & (pl.col("as_of") < pl.col("start")).fill_null(value=True)
        counted = self._counted(newest.filter(~believed).select(WINDOW_KEYS), standings)
        return pl.concat([newest.filter(believed & pl.col("as_of").is_not_null()).select(*WINDOW_COLUMNS), counted])

    def _rows(self, windows: pl.DataFrame) -> pl.DataFrame:
        span = _span(windows)
        return pl.concat(
            by_keys(windows, _PRODUCT, lambda keys: select(self._client, _ROWS, WINDOW_COLUMNS, {**keys, **span}))
        )

    def _counted(self, windows: pl.DataFrame, standings: Mapping[int, Standing]) -> pl.DataFrame:
        """From stored events in time for their day."""
        if not windows.height:
            return empty(WINDOW_COLUMNS)
        parameters = {"horizon": self._horizon_days, **_span(windows)}
        parts = by_keys(
            windows, _PRODUCT, lambda keys: once(self._client, _TABLES, _COUNTED, _EVENTS, {**keys, **parameters})
        )
        stored = below_start(pl.concat(parts), {partition: each.start for partition, each in standings.items()})
        return count_windows(stored)[0].join(windows, on=WINDOW_KEYS, how="semi").select(*WINDOW_COLUMNS)


def _span(windows: pl.DataFrame) -> dict[str, object]:
    """Where the windows lie, of which some are asked for."""
    starts = windows["window_start"].unique().to_list()
    return {
        "days": windows["day"].unique().to_list(),
        "partitions": windows["log_partition"].unique().to_list(),
        "since": min(starts),
        "until": max(starts) + WINDOW,
    }
