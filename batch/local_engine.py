"""The engine for as many rows as one process holds: polars, with DuckDB for the statements."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from batch.commits import commit
from batch.engine import Derived, Extreme, Fold, Milliseconds, Overwrite, Property
from batch.lake import exchange, load_table, target
from batch.scan import read, typed
from batch.snapshot import Pinned, ends_by_place, place
from batch.storage import Storage
from schemas.tables.lake import LakeTable, to_arrow


@dataclass(frozen=True)
class LocalEngine:
    """Rows are frames of polars."""

    catalog: Catalog
    storage: Storage

    def read(self, files: Sequence[str], table: LakeTable) -> pl.DataFrame:
        """See `Engine`."""
        return read(self.storage, files, table.frame_schema)

    def window(self, table: LakeTable, first: date, last: date) -> pl.DataFrame:
        """See `Engine`."""
        return self.read(_files(load_table(self.catalog, table), f"day >= '{first}' AND day <= '{last}'"), table)

    def pinned(self, pinned: Pinned, days: Collection[date]) -> pl.DataFrame:
        """See `Engine`."""
        stored = load_table(self.catalog, pinned.table)
        rows = self.read(_files(stored, _on(days), pinned.snapshot_id), pinned.table)
        ends = ends_by_place(pinned)
        covered = place(pl.col("log_epoch").cast(pl.Int64), pl.col("log_partition"))
        return rows.filter(pl.col("log_offset") < covered.replace_strict(ends, default=None, return_dtype=pl.Int64))

    def derive(self, rows: pl.DataFrame, columns: Sequence[Derived]) -> pl.DataFrame:
        """See `Engine`."""
        return rows.with_columns(_derived(column).alias(column.name) for column in columns)

    def sql(self, statement: str, **rows: pl.DataFrame) -> pl.DataFrame:
        """See `Engine`."""
        import duckdb

        with duckdb.connect() as database:
            database.execute("SET TimeZone = 'UTC'")
            for name, frame in rows.items():
                database.register(name, frame.to_arrow())
            answer: pl.DataFrame = database.sql(statement.format_map({name: name for name in rows})).pl()
            return answer

    def together(self, rows: pl.DataFrame, stored: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:  # noqa: ARG002
        """See `Engine`: all rows are one partition."""
        return rows

    def fold(self, rows: pl.DataFrame, fold: Fold) -> pl.DataFrame:
        """See `Engine`."""
        made = fold.target.frame_schema
        if rows.is_empty():
            return pl.DataFrame(schema=made)
        return typed(fold.function(typed(rows.lazy(), fold.source.frame_schema).collect()).lazy(), made).collect()

    def frame(self, rows: pl.DataFrame, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """See `Engine`."""
        return typed(rows.lazy(), columns).collect()

    @contextmanager
    def kept(self, rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """See `Engine`."""
        yield rows

    def overwrite(self, which: Overwrite, rows: pl.DataFrame, properties: Mapping[str, str]) -> None:
        """See `Engine`."""
        into = target(load_table(self.catalog, which.table), self.storage)
        ordered = typed(rows.lazy(), which.table.frame_schema).collect()
        made = [
            into.write(day, [to_arrow(part, which.table)])
            for (day,), part in ordered.partition_by("day", as_dict=True).items()
        ]
        condition = _on(which.days) + (f" AND source = '{which.source}'" if which.source else "")
        commit(
            lambda: load_table(self.catalog, which.table),
            lambda table: exchange(table, _files(table, condition), made, properties),
        )

    def expectable(self, context: Any, rows: pl.DataFrame) -> tuple[Any, Any]:
        """See `Engine`."""
        asset = context.data_sources.add_pandas("lake").add_dataframe_asset("day")
        return asset.add_batch_definition_whole_dataframe("day"), rows.to_pandas()


def _files(table: Table, condition: str, snapshot_id: int | None = None) -> list[str]:
    """Files with rows of which the condition may be true; all rows of a file are of one day, and of one source."""
    if table.current_snapshot() is None:
        return []
    return sorted(task.file.file_path for task in table.scan(condition, snapshot_id=snapshot_id).plan_files())


def _on(days: Collection[date]) -> str:
    named = ", ".join(f"'{day}'" for day in days)
    return f"day IN ({named})"


def _derived(column: Derived) -> pl.Expr:
    match column:
        case Milliseconds(_, time, ""):
            return pl.col(time).dt.epoch("ms")
        case Milliseconds(_, time, other):
            return pl.col(time).dt.epoch("ms") - pl.col(other).dt.epoch("ms")
        case Extreme(_, items, field, least):
            values = pl.col(items).list.eval(pl.element().struct.field(field))
            return values.list.min() if least else values.list.max()
        case Property(_, entries, key):
            entry = pl.element().struct
            return pl.col(entries).list.eval(entry.field("value").filter(entry.field("key") == key)).list.first()
