"""The rows of one day as those of another: the same visits, under ids and places in the log of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import cast

import polars as pl

Frames = Mapping[str, pl.DataFrame]
"""Table -> rows."""

_IDS = ("session_id", "visitor_id", "event_id", "transaction_id", "user_id")
_PLACES = ("log_offset", "as_of")
_TIMES = (pl.Date, pl.Datetime)


def moved(tables: Frames, first: date, day: date, a_day: Mapping[int, int]) -> dict[str, pl.DataFrame]:
    """Rows of the first day, moved to another, as if each day before it had put `a_day` records in each partition."""
    days = (day - first).days
    return {name: _moved(rows, prefix(first), prefix(day), days, a_day) for name, rows in tables.items()}


def prefix(day: date) -> str:
    """What the ids of a day's sessions, events and orders begin with."""
    return f"{day:%m%d}-"


def renamed(tables: Frames, old: str, new: str, a_round: Mapping[int, int], rounds: int) -> dict[str, pl.DataFrame]:
    """The same rows once more, under ids that begin otherwise and so many rounds further on in the log."""
    return {name: _placed(_named(rows, old, new), a_round, rounds) for name, rows in tables.items()}


def _moved(rows: pl.DataFrame, old: str, new: str, days: int, a_day: Mapping[int, int]) -> pl.DataFrame:
    placed = _placed(_named(rows, old, new), a_day, days)
    changes = {name: _later(pl.col(name), dtype, days) for name, dtype in rows.schema.items()}
    return placed.with_columns(**{name: change for name, change in changes.items() if change is not None})


def _named(rows: pl.DataFrame, old: str, new: str) -> pl.DataFrame:
    names = [name for name in _IDS if name in rows.columns]
    changed = rows.with_columns(**{name: _renamed(pl.col(name), old, new) for name in names})
    if "sessions" not in rows.columns:
        return changed
    nested = pl.element().struct.with_fields(visitor_id=_renamed(pl.element().struct.field("visitor_id"), old, new))
    return changed.with_columns(pl.col("sessions").list.eval(nested))


def _renamed(value: pl.Expr, old: str, new: str) -> pl.Expr:
    return pl.when(value.str.starts_with(old)).then(pl.lit(new) + value.str.slice(len(old))).otherwise(value)


def _placed(rows: pl.DataFrame, step: Mapping[int, int], steps: int) -> pl.DataFrame:
    if "log_partition" not in rows.columns:
        return rows
    further = pl.col("log_partition").replace_strict(dict(step), return_dtype=pl.Int64) * steps
    return rows.with_columns(pl.col(name) + further for name in _PLACES if name in rows.columns)


def _later(value: pl.Expr, dtype: pl.DataType, days: int) -> pl.Expr | None:
    """The value so many days later, in lists and structs too; none where it holds no time."""
    if isinstance(dtype, _TIMES):
        return value + pl.duration(days=days)
    if isinstance(dtype, pl.Struct):
        fields = {f.name: _later(value.struct.field(f.name), cast("pl.DataType", f.dtype), days) for f in dtype.fields}
        changed = {name: change for name, change in fields.items() if change is not None}
        return value.struct.with_fields(**changed) if changed else None
    if isinstance(dtype, pl.List):
        inner = _later(pl.element(), cast("pl.DataType", dtype.inner), days)
        return value.list.eval(inner) if inner is not None else None
    return None
