"""Recomputing days from one pinned snapshot of the lake, by the same functions that the speed layer runs on slices.

Spark brings all records of a group together and the functions of `batch.fold` do the rest, one partition at a time.
The work grows with the days asked for; of all other days only the keys of the groups are read, and whole days only
where one of these groups has records.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from uuid import uuid4

import polars as pl
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.pandas.types import from_arrow_schema

from batch.days import connected
from batch.publication import NotYetPublishable, Publication, landed_until
from batch.results import RESULT_TABLES, Manifest, Results
from batch.snapshot import Pinned, rows_of
from schemas import orders, products, sessions
from schemas.frames import EVENT_COLUMNS, GROUP, ORDER_COLUMNS, ORDER_GROUP
from schemas.products import COUNTERS
from schemas.sessions import REACH_COLUMNS, SESSION_COLUMNS, SessionRules
from schemas.tables.lake import EVENTS, TRANSACTIONS, LakeTable, from_arrow, to_arrow

ROWS_PER_PARTITION = 200_000
"""What one worker holds at a time."""

BATCH_ROWS = 20_000
REACH = ("log_partition", "event_days", "last_offset")

_FOLDED = LakeTable("folded", {**SESSION_COLUMNS, **REACH_COLUMNS}, "session_start", "", "Sessions and their reach.")
_COUNTED = RESULT_TABLES["batch_products"]
_NO_REACH = pl.DataFrame(schema={"log_partition": pl.Int32(), **REACH_COLUMNS}).select(REACH)


@dataclass(frozen=True)
class WholePartition:
    """A function for `mapInArrow` that gives a polars function all rows of a partition at once."""

    function: Callable[[pl.DataFrame], pl.DataFrame]
    source: LakeTable
    target: LakeTable

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Folds one partition."""
        rows = list(batches)
        if rows:
            frame = from_arrow(pa.Table.from_batches(rows), self.source.frame_schema)
            yield from to_arrow(self.function(frame), self.target).to_batches(max_chunksize=BATCH_ROWS)

    def on(self, rows: DataFrame) -> DataFrame:
        """The function applied to every partition."""
        return rows.mapInArrow(self, from_arrow_schema(self.target.arrow_schema))


@dataclass(frozen=True)
class Recompute:
    """What every recompute needs."""

    spark: SparkSession
    results: Results
    pinned: Pinned
    published: Mapping[date, Publication]
    """The publications of now: they tell which days must move together."""
    rules: SessionRules
    partitions: int
    """The least number of partitions of a shuffle."""

    def events(self, days: Collection[date]) -> Manifest:
        """Recomputes the dataset `events` for the days and all that must move with them.

        Raises `NotYetPublishable` if the snapshot was landed too early for one of the days.
        """
        taken = frozenset(days)
        while True:
            used = self._used_events(taken).persist(StorageLevel.DISK_ONLY)
            folded = WholePartition(partial(sessions.fold, rules=self.rules), EVENTS, _FOLDED).on(used)
            folded = folded.persist(StorageLevel.DISK_ONLY)
            try:
                reach = _reach(folded)
                together = self._together(days, reach)
                if together <= taken:
                    return self._finish("events", together, _event_tables(used, folded, together), reach)
                taken |= together
            finally:
                folded.unpersist()
                used.unpersist()

    def orders(self, days: Collection[date]) -> Manifest:
        """Recomputes the dataset `orders`; a fact and its duplicates lie on one day. Raises `NotYetPublishable`."""
        together = self._together(days, _NO_REACH)
        rows = _grouped(rows_of(self.spark, self.pinned).where(_on(together)), self._width(together), ORDER_GROUP)
        facts = WholePartition(_used_orders, TRANSACTIONS, RESULT_TABLES["batch_orders"]).on(rows)
        return self._finish("orders", together, {"batch_orders": facts}, _NO_REACH)

    def _together(self, days: Collection[date], reach: pl.DataFrame) -> frozenset[date]:
        until = landed_until(self.pinned.coverage)
        together = connected(days, reach, self.published, until)
        for day in sorted(set(days) - together):
            raise NotYetPublishable(day, until)
        return together

    def _used_events(self, days: Collection[date]) -> DataFrame:
        """The used events, of any day, of all groups that have an event on the days; whole groups in one partition."""
        rows = rows_of(self.spark, self.pinned)
        groups = rows.where(_on(days)).select(*GROUP).distinct()
        elsewhere = rows.where(~_on(days)).join(groups, [*GROUP], "left_semi").select("day").distinct()
        days = set(days) | {row.day for row in elsewhere.collect()}
        whole = rows.where(_on(days)).join(groups, [*GROUP], "left_semi").select(*EVENTS.frame_schema)
        return WholePartition(_used_events, EVENTS, EVENTS).on(_grouped(whole, self._width(days), GROUP))

    def _width(self, days: Collection[date]) -> int:
        return max(self.partitions, -(-self.pinned.landed_rows(sorted(days)) // ROWS_PER_PARTITION))

    def _finish(
        self, dataset: str, days: frozenset[date], tables: Mapping[str, DataFrame], reach: pl.DataFrame
    ) -> Manifest:
        run = f"{self.pinned.sequence:010d}-{uuid4().hex[:12]}"
        for name, rows in tables.items():
            target = self.results.uri(dataset, run, name)
            rows.select(*RESULT_TABLES[name].frame_schema).write.parquet(target)
        manifest = Manifest(
            dataset=dataset,
            run=run,
            days=tuple(sorted(days)),
            snapshot_id=self.pinned.snapshot_id,
            snapshot_sequence=self.pinned.sequence,
            coverage=self.pinned.coverage,
            definition=self.rules.definition,
            files={name: self.results.files(dataset, run, name) for name in tables},
        )
        self.results.finish(manifest, reach)
        return manifest


def _used_events(landed: pl.DataFrame) -> pl.DataFrame:
    return sessions.without_duplicates(landed).select(list(EVENT_COLUMNS))


def _used_orders(landed: pl.DataFrame) -> pl.DataFrame:
    return orders.without_duplicates(landed).select(list(ORDER_COLUMNS))


def _counted(used: pl.DataFrame) -> pl.DataFrame:
    return products.count(used, ["day", "tenant_id", "product_id"])


def _event_tables(used: DataFrame, folded: DataFrame, days: Collection[date]) -> dict[str, DataFrame]:
    """The three tables of the dataset `events`, of these days only."""
    facts = used.where(_on(days))
    parts = WholePartition(_counted, EVENTS, _COUNTED).on(facts)
    sums = [F.sum(name).alias(name) for name in COUNTERS]
    return {
        "batch_events": facts,
        "batch_sessions": folded.where(_on(days)),
        "batch_products": parts.groupBy("day", "tenant_id", "product_id").agg(*sums),
    }


def _reach(folded: DataFrame) -> pl.DataFrame:
    several = folded.where("size(event_days) > 1").select(*REACH).toArrow()
    return from_arrow(several, {"log_partition": pl.Int32(), **REACH_COLUMNS}).select(REACH)


def _grouped(rows: DataFrame, partitions: int, keys: Collection[str]) -> DataFrame:
    return rows.repartition(partitions, *keys)


def _on(days: Collection[date]) -> Column:
    return F.col("day").isin(sorted(days))
