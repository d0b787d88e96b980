"""Where rows are computed that no partition of the log holds together: in this process, or on Spark.

Both engines read the same statements, in the SQL that Spark and DuckDB share, and run the same polars functions over
whole partitions; a statement names the rows that it is handed in braces. Up to `spark.inline_rows` rows this process is
done before Spark has started.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, TypeVar

import polars as pl

from batch.snapshot import Pinned
from schemas.tables.lake import LakeTable

Rows = TypeVar("Rows")


@dataclass(frozen=True)
class Fold:
    """A polars function that is given all rows of a partition at once."""

    function: Callable[[pl.DataFrame], pl.DataFrame]
    source: LakeTable
    target: LakeTable


@dataclass(frozen=True)
class Milliseconds:
    """A column with the milliseconds since 1970 of a time, less those of another if one is named."""

    name: str
    column: str
    less: str = ""


@dataclass(frozen=True)
class Extreme:
    """A column with the least or the greatest value that a field has in a list of structs."""

    name: str
    items: str
    field: str
    least: bool


@dataclass(frozen=True)
class Property:
    """A column with the value of a key of a map; null where the key is absent."""

    name: str
    entries: str
    key: str


Derived = Milliseconds | Extreme | Property


@dataclass(frozen=True)
class Overwrite:
    """Which rows of a table are replaced: those of the days and, where one is named, of the source."""

    table: LakeTable
    days: tuple[date, ...]
    source: str = ""


class Engine(Protocol[Rows]):
    """What a computation over many partitions needs."""

    def read(self, files: Sequence[str], table: LakeTable) -> Rows:
        """The rows of files of results."""

    def window(self, table: LakeTable, first: date, last: date) -> Rows:
        """The rows of a table of the lake of all days between both."""

    def pinned(self, pinned: Pinned, days: Collection[date]) -> Rows:
        """The rows of a snapshot of the days below what it covers, also those of ranges that were landed twice."""

    def derive(self, rows: Rows, columns: Sequence[Derived]) -> Rows:
        """The rows with more columns."""

    def sql(self, statement: str, **rows: Rows) -> Rows:
        """What a statement answers."""

    def together(self, rows: Rows, stored: Rows, keys: Sequence[str]) -> Rows:
        """The rows with those of one key in one partition, of a size that follows from the stored rows behind them."""

    def fold(self, rows: Rows, fold: Fold) -> Rows:
        """A function applied to every partition."""

    def frame(self, rows: Rows, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """The rows themselves, which must be few."""

    def kept(self, rows: Rows) -> AbstractContextManager[Rows]:
        """The rows, computed once however often they are used."""

    def overwrite(self, which: Overwrite, rows: Rows, properties: Mapping[str, str]) -> None:
        """Puts the rows in place of others in one commit, with properties of its snapshot."""

    def expectable(self, context: Any, rows: Rows) -> tuple[Any, Any]:
        """The rows as a batch definition of Great Expectations, and the frame that it takes as its parameter."""
