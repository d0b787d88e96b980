"""Columns of numbers that grow: what is appended costs what it has, however long they are."""

from __future__ import annotations

import numpy as np

_LEAST = 1 << 12


class Column:
    """Numbers of one type, or rows of `width` numbers, in memory that is doubled when it is full."""

    def __init__(self, dtype: type[np.generic], *width: int) -> None:
        self._room, self._length = np.empty((_LEAST, *width), dtype), 0

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> np.ndarray:
        """All of them, to be read or written in place until more are appended."""
        return self._room[: self._length]

    @property
    def bytes(self) -> int:
        """Memory taken."""
        return self._room.nbytes

    def append(self, more: np.ndarray) -> None:
        """Adds numbers at the end."""
        end = self._length + len(more)
        if end > len(self._room):
            self._grow(2 * end)
        self._room[self._length : end] = more
        self._length = end

    def keep(self, kept: np.ndarray) -> None:
        """Drops the others."""
        self._room = self.values[kept]
        self._length = len(self._room)

    def _grow(self, size: int) -> None:
        room = np.empty((size, *self._room.shape[1:]), self._room.dtype)
        room[: self._length] = self.values
        self._room = room


class Columns:
    """Columns side by side, which have a number, or numbers, of each row."""

    def __init__(self, *columns: Column) -> None:
        self._columns = columns

    @property
    def bytes(self) -> int:
        """Memory taken."""
        return sum(column.bytes for column in self._columns)

    def append(self, *more: np.ndarray) -> None:
        """Adds rows at the end: what each column has of them."""
        for column, values in zip(self._columns, more, strict=True):
            column.append(values)

    def keep(self, kept: np.ndarray) -> None:
        """Drops the other rows."""
        for column in self._columns:
            column.keep(kept)
