"""A polars function over whole partitions of a Spark frame, for what no partition of the log holds together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from batch.engine import Fold
from schemas.tables.lake import from_arrow, to_arrow

ROWS_PER_PARTITION = 200_000
"""What one worker holds at a time."""

BATCH_ROWS = 20_000


@dataclass(frozen=True)
class WholePartition:
    """A function for `mapInArrow` that gives a polars function all rows of a partition at once."""

    fold: Fold

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Folds one partition."""
        rows = list(batches)
        if rows:
            frame = from_arrow(pa.Table.from_batches(rows), self.fold.source.frame_schema)
            yield from to_arrow(self.fold.function(frame), self.fold.target).to_batches(max_chunksize=BATCH_ROWS)
