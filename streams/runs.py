"""Rows of many owners in frames that are only appended and merged: the cost follows what is read and written."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.distinct import begins, distinct
from schemas.frames import empty
from streams.compact import compact
from streams.heap import ramp

Ints = npt.NDArray[np.int64]

OWNER = "group"
_ROW_BITS = 32
_ROW = (1 << _ROW_BITS) - 1
_SAME_SIZE = 4
"""Frames within this factor of each other are of one tier."""
_PER_TIER = 6
_GARBAGE = 2.0
"""Rows kept for each row that is still somebody's, at most."""


class Runs:
    """Owner (a number from 0) -> its newest rows. What an owner had before is garbage, and goes when frames merge."""

    def __init__(self, columns: dict[str, pl.DataType]) -> None:
        self._columns = columns
        self._frames: dict[int, pl.DataFrame] = {}
        self._next = 0
        self._place = np.full(1 << 10, -1, np.int64)
        self._count = np.zeros(1 << 10, np.int32)
        self._live = 0

    @property
    def rows(self) -> int:
        """Rows that are somebody's."""
        return self._live

    def read(self, owners: Ints) -> pl.DataFrame:
        """All rows of these owners, which differ."""
        place, count = self._place[owners], self._count[owners].astype(np.int64)
        if not count.any():
            return empty(self._columns)
        rows = ramp(place, count)
        rows = rows[np.argsort(rows >> _ROW_BITS, kind="stable")]
        starts = np.flatnonzero(begins(rows >> _ROW_BITS))
        frame = rows[starts] >> _ROW_BITS
        parts = [
            self._frames[int(number)][pl.Series(part & _ROW)]
            for number, part in zip(frame, np.split(rows, starts[1:]), strict=True)
        ]
        return pl.concat(parts)

    def write(self, rows: pl.DataFrame) -> None:
        """Replaces the rows of the owners that are named; `rows` have those of one owner next to each other."""
        if not rows.height:
            return
        owners = rows[OWNER].to_numpy()
        self._reserve(int(owners.max()) + 1)
        self._live += rows.height - int(self._count[distinct(owners)].sum())
        self._append(rows)
        self._merge_tiers()

    def _append(self, rows: pl.DataFrame) -> None:
        owners = rows[OWNER].to_numpy()
        starts = np.flatnonzero(begins(owners))
        self._place[owners[starts]] = self._next << _ROW_BITS | starts
        self._count[owners[starts]] = np.diff(np.append(starts, len(owners)))
        self._frames[self._next] = compact(rows)
        self._next += 1

    def _merge_tiers(self) -> None:
        tiers: dict[int, list[int]] = {}
        for number, frame in self._frames.items():
            tiers.setdefault(int(np.log(frame.height) / np.log(_SAME_SIZE)), []).append(number)
        for numbers in tiers.values():
            if len(numbers) >= _PER_TIER:
                self._merge(numbers)
        kept = sum(frame.height for frame in self._frames.values())
        if kept > _GARBAGE * self._live + 10_000:
            self._merge(list(self._frames))

    def _merge(self, numbers: list[int]) -> None:
        parts = []
        for number in numbers:
            frame = self._frames.pop(number)
            owners = frame[OWNER].to_numpy()
            row = np.arange(frame.height)
            begin = self._place[owners]
            own = (begin >> _ROW_BITS == number) & (row >= begin & _ROW) & (row < (begin & _ROW) + self._count[owners])
            parts.append(frame.filter(pl.Series(own)))
        merged = pl.concat(parts)
        if merged.height:
            self._append(merged)

    def _reserve(self, owners: int) -> None:
        size = len(self._place)
        while size < owners:
            size *= 2
        more = size - len(self._place)
        if more:
            self._place = np.append(self._place, np.full(more, -1, np.int64))
            self._count = np.append(self._count, np.zeros(more, np.int32))
