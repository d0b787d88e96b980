"""A polars function over whole partitions of a Spark frame, for what no partition of the log holds together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from schemas.tables.lake import LakeTable, from_arrow, to_arrow

ROWS_PER_PARTITION = 200_000
"""What one worker holds at a time."""

BATCH_ROWS = 20_000


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
