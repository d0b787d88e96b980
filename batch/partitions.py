"""What Spark's workers do with partitions of a frame, for what no partition of the log holds together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from batch.engine import Fold
from batch.scan import read
from batch.storage import Storage
from schemas.tables.lake import LakeTable, from_arrow, to_arrow

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


@dataclass(frozen=True)
class NamedFiles:
    """A function for `mapInArrow` that gives the rows of the files that the rows of a partition name."""

    storage: Storage
    table: LakeTable

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Reads one file after the other."""
        for uri in (uri for batch in batches for uri in batch.column(0).to_pylist()):
            rows = read(self.storage, [uri], self.table.frame_schema)
            yield from to_arrow(rows, self.table).to_batches(max_chunksize=BATCH_ROWS)
