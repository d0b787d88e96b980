"""Features in Spark: a day is reduced to its day tables, and 30 days of these are folded into the features of the day.

Only wiring: what a row means stands in `schemas`. Each write overwrites its days and names the recomputes that it was
made from in the snapshot's properties, so that doing it again changes nothing and every value can be traced.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import reduce

import polars as pl
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.pandas.types import from_arrow_schema

from batch.lake import spark_name
from batch.partitions import ROWS_PER_PARTITION, WholePartition
from batch.results import RESULT_TABLES, Manifest, Results
from schemas.tables.lake import LakeTable, from_arrow

INPUTS = "rivermeet.inputs"
"""The snapshot property that says what a write was made from."""


@dataclass(frozen=True)
class Inputs:
    """The finished recomputes that features are made from."""

    manifests: tuple[Manifest, ...]
    """One per dataset; a dataset of which nothing was ever landed is absent."""

    @property
    def days(self) -> tuple[date, ...]:
        """The days whose features are made: those of any of the recomputes."""
        return tuple(sorted({day for manifest in self.manifests for day in manifest.days}))

    @property
    def trace(self) -> Trace:
        """What is written beside the rows."""
        runs = {manifest.dataset: manifest.run for manifest in self.manifests}
        sequences = {manifest.dataset: manifest.snapshot_sequence for manifest in self.manifests}
        return Trace(self.days, runs, sequences)


@dataclass(frozen=True)
class Trace:
    """What a write was made from: its days and, by dataset, the recompute and its place in the lake's history."""

    days: tuple[date, ...]
    runs: dict[str, str]
    sequences: dict[str, int]

    def to_json(self) -> str:
        """The value of the snapshot property."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Trace:
        """What `to_json` wrote."""
        raw = json.loads(text)
        return cls(tuple(date.fromisoformat(day) for day in raw["days"]), raw["runs"], raw["sequences"])


@dataclass(frozen=True)
class DayTable:
    """How one dataset's day becomes rows of a day table."""

    table: LakeTable
    dataset: str
    source: str
    """The result table that it reads."""
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    """Rows that agree in these come to one worker together."""
    reduce: Callable[[pl.DataFrame], pl.DataFrame]
    sums: str = ""
    """The column that is added up over workers, where the keys do not bring all of a row together."""


@dataclass(frozen=True)
class FeatureReport:
    """What was written: rows of each feature table by day."""

    runs: dict[str, str]
    days: tuple[date, ...]
    rows: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Wiring:
    """What every reduction and fold needs."""

    spark: SparkSession
    results: Results
    partitions: int

    def reduce_days(self, inputs: Inputs, tables: Sequence[DayTable]) -> None:
        """Overwrites the days of the recomputes in the day tables."""
        for manifest in inputs.manifests:
            for one in (table for table in tables if table.dataset == manifest.dataset):
                which = F.col("day").isin(list(manifest.days)) & (F.col("source") == manifest.dataset)
                self._overwrite(one.table, self._reduced(manifest, one), which, inputs.trace)

    def window(self, table: LakeTable, day: date, days: int) -> DataFrame:
        """The rows of a day table of so many days that end with `day`."""
        first = day - timedelta(days=days - 1)
        return self.spark.table(spark_name(table)).where(F.col("day").between(first, day))

    def together(self, rows: DataFrame, stored: DataFrame, *keys: str) -> DataFrame:
        """The rows with those of one key in one partition, of a size that follows from the stored rows behind them.

        Those are counted from the metadata of their files, without reading or computing anything.
        """
        return rows.repartition(max(self.partitions, -(-stored.count() // ROWS_PER_PARTITION)), *keys)

    def collected(self, rows: DataFrame, table: LakeTable, value: str = "rows") -> pl.DataFrame:
        """Partial counts of all workers, added up: small by construction."""
        keys = [name for name in table.frame_schema if name != value]
        summed = rows.groupBy(*keys).agg(F.sum(value).alias(value))
        return from_arrow(summed.select(*table.frame_schema).toArrow(), table.frame_schema)

    def write(self, table: LakeTable, parts: Sequence[DataFrame], inputs: Inputs) -> dict[str, int]:
        """Overwrites the days of the inputs with the parts, one per day; answers the rows by day."""
        which = F.col("day").isin(list(inputs.days))
        self._overwrite(table, reduce(DataFrame.unionByName, parts), which, inputs.trace)
        written = self.spark.table(spark_name(table)).where(which).groupBy("day").count().collect()
        return {str(row.day): row["count"] for row in written}

    def _reduced(self, manifest: Manifest, one: DayTable) -> DataFrame:
        whole = RESULT_TABLES[one.source]
        needed = replace(whole, columns={name: whole.columns[name] for name in one.columns}, day_of="day")
        files = [self.results.uri(manifest.dataset, manifest.run, name) for name in manifest.files[one.source]]
        schema = from_arrow_schema(whole.arrow_schema)
        rows = self.spark.read.schema(schema).parquet(*files) if files else self.spark.createDataFrame([], schema)
        rows = self.together(rows.select(*needed.frame_schema), rows, *one.keys)
        made = WholePartition(one.reduce, needed, one.table).on(rows)
        if not one.sums:
            return made
        keys = [name for name in one.table.frame_schema if name != one.sums]
        return made.groupBy(*keys).agg(F.sum(one.sums).alias(one.sums))

    def _overwrite(self, table: LakeTable, rows: DataFrame, which: Column, trace: Trace) -> None:
        made = rows.select(*table.frame_schema).writeTo(spark_name(table))
        made.option(f"snapshot-property.{INPUTS}", trace.to_json()).overwrite(which)
