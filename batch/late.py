"""Late data: the closed days that landings touched past their cut, and which of them are due for a recompute.

Nothing is noted that could be forgotten: a day is late while the lake holds a record of it at or past the cut of its
publication, and a publication that counts the record ends that by moving the cut. Done twice, the second finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from batch.publication import Publication
from infra.clients.clickhouse import Client, select
from schemas.frames import TIMESTAMP

CAP_SPAN = timedelta(days=1)


@dataclass(frozen=True)
class LateDay:
    """A published day with landed records that its publication has not counted."""

    dataset: str
    day: date
    records: int
    """At most so many records wait: all of the landings that bring some."""
    since: datetime
    """When the first of them was landed."""
    published: int
    """How often the day was published within a day."""


@dataclass(frozen=True)
class Patience:
    """When a late day is recomputed: once its first late record has waited, and at most so often a day."""

    wait: timedelta
    cap: int

    def is_due(self, late: LateDay, now: datetime) -> bool:
        """Whether the day should be recomputed now."""
        return now - late.since >= self.wait and late.published < self.cap


def late_days(client: Client, dataset: str, current: Iterable[Publication], now: datetime) -> list[LateDay]:
    """The days of the dataset that are published and late, oldest first."""
    cuts = pl.DataFrame(
        [
            {"day": one.day, "log_epoch": one.log_epoch, "log_partition": partition, "cut": cut}
            for one in current
            for partition, cut in one.cut.items()
        ],
        schema={"day": pl.Date(), "log_epoch": pl.Int32(), "log_partition": pl.Int32(), "cut": pl.Int64()},
    )
    past = _landings(client, dataset).join(cuts, on=["day", "log_epoch", "log_partition"])
    found = past.filter(pl.col("last_offset") >= pl.col("cut")).group_by("day")
    rows = found.agg(pl.col("records").sum(), since=pl.col("taken_at").min()).sort("day")
    published = _published(client, dataset, now)
    return [LateDay(dataset, day, records, since, published.get(day, 0)) for day, records, since in rows.iter_rows()]


def _landings(client: Client, dataset: str) -> pl.DataFrame:
    columns: dict[str, pl.DataType] = {
        "day": pl.Date(),
        "log_epoch": pl.Int32(),
        "log_partition": pl.Int32(),
        "records": pl.Int64(),
        "last_offset": pl.Int64(),
        "taken_at": TIMESTAMP,
    }
    sql = f"SELECT {', '.join(columns)} FROM batch_landings FINAL WHERE dataset = %(dataset)s"
    return select(client, sql, columns, {"dataset": dataset})


def _published(client: Client, dataset: str, now: datetime) -> dict[date, int]:
    sql = (
        "SELECT day, count() AS n FROM publications"
        " WHERE dataset = %(dataset)s AND published_at > fromUnixTimestamp64Milli(%(since)s) GROUP BY day"
    )
    since = int((now - CAP_SPAN).timestamp() * 1000)
    found = select(client, sql, {"day": pl.Date(), "n": pl.Int64()}, {"dataset": dataset, "since": since})
    return dict(found.iter_rows())
