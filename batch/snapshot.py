"""A pinned snapshot of a lake table, and the rows of it that count: those below what the snapshot covers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, TypeVar

from pyiceberg.table import Table

from batch.coverage import Coverage, covered
from batch.landings import KEPT_FROM, Commit, commits
from schemas.tables.lake import LakeTable

if TYPE_CHECKING:
    import polars as pl
    from pyspark.sql import Column

_PARTITION_BITS = 16
"""Bits of a `place` that name the partition; those above name the epoch."""

Number = TypeVar("Number", int, "pl.Expr", "Column")


class NothingLanded(Exception):
    """The table has no landing yet. Land first."""

    def __init__(self, table: str) -> None:
        super().__init__(f"nothing was ever landed into {table}: run `python -m batch land` first")
        self.table = table


class DayForgotten(Exception):
    """Rows of the day were deleted for their age. What is published of it stays; it cannot be computed again."""

    def __init__(self, table: str, day: date, kept_from: date) -> None:
        super().__init__(f"{table} holds whole days from {kept_from} on, so {day} cannot be computed again")
        self.table, self.day, self.kept_from = table, day, kept_from


@dataclass(frozen=True)
class Pinned:
    """One snapshot of a table; the same snapshot gives the same rows for ever."""

    table: LakeTable
    snapshot_id: int
    sequence: int
    """The place of the snapshot in the table's history."""
    commits: tuple[Commit, ...]
    kept_from: date | None = None
    """The first day whose rows are all still there; None if none were ever deleted for their age."""

    def check_kept(self, days: Iterable[date]) -> None:
        """Raises `DayForgotten` if rows of one of the days were deleted for their age."""
        for day in days:
            if self.kept_from is not None and day < self.kept_from:
                raise DayForgotten(self.table.name, day, self.kept_from)

    @property
    def coverage(self) -> Coverage:
        """What the snapshot covers of the newest epoch."""
        return self.coverages[-1]

    @property
    def coverages(self) -> tuple[Coverage, ...]:
        """What it covers of each epoch, the newest last."""
        epochs = sorted({commit.landed.epoch for commit in self.commits})
        return tuple(covered([c.landing for c in self.commits if c.landed.epoch == epoch]) for epoch in epochs)

    def landed_rows(self, days: Sequence[date]) -> int:
        """How many rows of the days lie below the coverage, repeated ones included."""
        ends = {(one.epoch, p): end for one in self.coverages for p, end in one.end.items()}
        return sum(
            part.records
            for commit in self.commits
            for part in commit.landed.days
            if part.day in days and part.last_offset < ends[commit.landed.epoch, part.partition]
        )


def pin(table: Table, declared: LakeTable, snapshot_id: int | None = None) -> Pinned:
    """The snapshot (the current one if none is given). Raises `NothingLanded`, `LakeHistoryBroken`."""
    found = tuple(commits(table, snapshot_id))
    head = table.current_snapshot() if snapshot_id is None else table.snapshot_by_id(snapshot_id)
    if head is None or not found:
        raise NothingLanded(declared.name)
    kept = table.properties.get(KEPT_FROM)
    first = date.fromisoformat(kept) if kept else None
    return Pinned(declared, head.snapshot_id, head.sequence_number or 0, found, first)


def ends_by_place(pinned: Pinned) -> dict[int, int]:
    """The offset below which the snapshot covers each partition, by its `place`."""
    return {place(one.epoch, p): end for one in pinned.coverages for p, end in one.end.items()}


def place(epoch: Number, partition: Number) -> Number:
    """A partition and its epoch as one number."""
    return epoch * (1 << _PARTITION_BITS) + partition
