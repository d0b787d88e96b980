"""Rows of a pinned snapshot, read by workers: only the files, row groups and columns that are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from batch.files import LakeFile, check
from batch.storage import Storage
from schemas.tables.lake import LakeTable


@dataclass(frozen=True)
class Share:
    """A part of the log that one worker takes: the groups of a partition that fall to it.

    A partition with more rows than a worker is to hold is shared by `of` workers, each of which reads all of it.
    """

    epoch: int
    partition: int
    end: int
    """The offset below which the snapshot covers the partition."""
    rows: int
    number: int = 0
    of: int = 1


def shares(ends: Iterable[tuple[int, int, int]], rows: dict[tuple[int, int], int], limit: int) -> list[Share]:
    """Shares of (epoch, partition, end), those of the most rows first; partitions without rows have none."""
    found = []
    for epoch, partition, end in ends:
        held = rows.get((epoch, partition), 0)
        count = -(-held // limit)
        found += [Share(epoch, partition, end, held // count, number, count) for number in range(count)]
    return sorted(found, key=lambda share: (-share.rows, share.epoch, share.partition, share.number))


@dataclass(frozen=True)
class Snapshot:
    """The files of a snapshot as workers see them."""

    table: LakeTable
    files: tuple[LakeFile, ...]
    storage: Storage
    group: tuple[str, ...]
    """The columns by which rows belong together."""

    def days(self) -> set[date]:
        """All days with rows."""
        return {file.day for file in self.files}

    def check(self, share: Share, days: Collection[date]) -> None:
        """Holds the files of the share on the days against their checksums. Raises `FileDamaged`."""
        for file in self._held(share, days):
            check(self.storage, file.uri)

    def read(self, share: Share, days: Collection[date], columns: Sequence[str]) -> pl.LazyFrame:
        """The rows of the share on the days, in the types of the frames."""
        kinds = self.table.frame_schema
        held = self._held(share, days)
        if not held:
            return pl.LazyFrame(schema={name: kinds[name] for name in columns})
        rows = scan(self.storage, [file.uri for file in held], kinds)
        mine = (
            (pl.col("log_partition") == share.partition)
            & (pl.col("log_epoch") == share.epoch)
            & (pl.col("log_offset") < share.end)
        )
        rows = rows.filter(mine)
        if share.of > 1:
            rows = rows.filter(pl.struct(self.group).hash(seed=0) % share.of == share.number)
        return typed(rows, {name: kinds[name] for name in columns})

    def _held(self, share: Share, days: Collection[date]) -> list[LakeFile]:
        return [file for file in self.files if file.day in days and file.may_hold(share.partition)]


def scan(storage: Storage, files: Sequence[str], columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """The rows of files of the lake or of results, in the types of the files; a column that a file lacks is null."""
    if not files:
        return pl.LazyFrame(schema=dict(columns))
    named = [storage.polars(file) for file in files]
    return pl.scan_parquet(
        [name for name, _ in named],
        schema={name: _stored(kind) for name, kind in columns.items()},
        missing_columns="insert",
        extra_columns="ignore",
        storage_options=named[0][1],
        hive_partitioning=False,
    )


def read(storage: Storage, files: Sequence[str], columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """All rows of files, in these types."""
    return typed(scan(storage, files, columns), columns).collect()


def typed(rows: pl.LazyFrame, columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """The columns, in these types."""
    return rows.select(pl.col(name).cast(kind) for name, kind in columns.items())


def _stored(kind: pl.DataType) -> pl.DataType:
    """The type in the files of the lake: Iceberg's times have microseconds."""
    return pl.Datetime("us", "UTC") if isinstance(kind, pl.Datetime) else kind
