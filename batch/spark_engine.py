"""The engine for many rows: Spark."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.storagelevel import StorageLevel

from batch.engine import Derived, Extreme, Fold, Milliseconds, Overwrite, Property
from batch.lake import spark_name
from batch.partitions import ROWS_PER_PARTITION, NamedFiles, WholePartition
from batch.snapshot import Pinned, ends_by_place, place
from batch.storage import Storage, on_s3
from schemas.tables.lake import LakeTable, from_arrow


@dataclass(frozen=True)
class SparkEngine:
    """Rows are frames of Spark, computed when they are asked for."""

    spark: SparkSession
    partitions: int
    storage: Storage

    def read(self, files: Sequence[str], table: LakeTable) -> DataFrame:
        """See `Engine`. Of an object store Spark itself knows only the tables of the catalog, so workers read these."""
        schema = from_arrow_schema(table.arrow_schema)
        if any(on_s3(file) for file in files):
            names = self.spark.createDataFrame([(file,) for file in files], "uri string").repartition(len(files))
            return names.mapInArrow(NamedFiles(self.storage, table), schema)
        return self.spark.read.schema(schema).parquet(*files) if files else self.spark.createDataFrame([], schema)

    def window(self, table: LakeTable, first: date, last: date) -> DataFrame:
        """See `Engine`."""
        return self.spark.table(spark_name(table)).where(F.col("day").between(first, last))

    def pinned(self, pinned: Pinned, days: Collection[date]) -> DataFrame:
        """See `Engine`."""
        rows = self.spark.sql(f"SELECT * FROM {spark_name(pinned.table)} VERSION AS OF {pinned.snapshot_id}")
        ends = F.create_map(*[F.lit(n).cast("bigint") for pair in ends_by_place(pinned).items() for n in pair])
        covered = F.col("log_offset") < F.try_element_at(
            ends, place(F.col("log_epoch").cast("bigint"), F.col("log_partition"))
        )
        return rows.where(F.col("day").isin(list(days)) & covered)

    def derive(self, rows: DataFrame, columns: Sequence[Derived]) -> DataFrame:
        """See `Engine`."""
        return rows.withColumns({column.name: _derived(column) for column in columns})

    def sql(self, statement: str, **rows: DataFrame) -> DataFrame:
        """See `Engine`."""
        return self.spark.sql(statement, **rows)

    def together(self, rows: DataFrame, stored: DataFrame, keys: Sequence[str]) -> DataFrame:
        """See `Engine`. The stored rows are counted from the metadata of their files, without reading them."""
        return rows.repartition(max(self.partitions, -(-stored.count() // ROWS_PER_PARTITION)), *keys)

    def fold(self, rows: DataFrame, fold: Fold) -> DataFrame:
        """See `Engine`."""
        named = rows.select(*fold.source.frame_schema)
        return named.mapInArrow(WholePartition(fold), from_arrow_schema(fold.target.arrow_schema))

    def frame(self, rows: DataFrame, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """See `Engine`."""
        return from_arrow(rows.select(*columns).toArrow(), dict(columns))

    @contextmanager
    def kept(self, rows: DataFrame) -> Iterator[DataFrame]:
        """See `Engine`."""
        rows.persist(StorageLevel.MEMORY_AND_DISK)
        try:
            yield rows
        finally:
            rows.unpersist()

    def overwrite(self, which: Overwrite, rows: DataFrame, properties: Mapping[str, str]) -> None:
        """See `Engine`."""
        made = rows.select(*which.table.frame_schema).writeTo(spark_name(which.table))
        for name, value in properties.items():
            made = made.option(f"snapshot-property.{name}", value)
        replaced = F.col("day").isin(list(which.days))
        made.overwrite(replaced & (F.col("source") == which.source) if which.source else replaced)

    def expectable(self, context: Any, rows: DataFrame) -> tuple[Any, Any]:
        """See `Engine`."""
        asset = context.data_sources.add_spark("lake").add_dataframe_asset("day")
        return asset.add_batch_definition_whole_dataframe("day"), rows


def _derived(column: Derived) -> Column:
    match column:
        case Milliseconds(_, time, ""):
            return F.unix_millis(time)
        case Milliseconds(_, time, other):
            return F.unix_millis(time) - F.unix_millis(other)
        case Extreme(_, items, field, least):
            return (F.array_min if least else F.array_max)(f"{items}.{field}")
        case Property(_, entries, key):
            return F.element_at(entries, F.lit(key))
