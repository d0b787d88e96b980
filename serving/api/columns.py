"""What the tables' definitions say of their columns: type, whether null is possible, and meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from schemas.tables import clickhouse_migrations

_COLUMN = re.compile(r"^    (\w+) (.+?)(?: MATERIALIZED .+?)?(?: CODEC\(.*?\))? COMMENT '((?:[^']|'')*)'", re.MULTILINE)
_WRAPPED = re.compile(r"(LowCardinality|Nullable)\((.*)\)")
_TYPES: dict[str, type] = {
    "String": str,
    "Float64": float,
    "Bool": bool,
    "Date": date,
    "DateTime": datetime,
    "DateTime64": datetime,
}


@dataclass(frozen=True)
class Column:
    """One column as JSON shows it."""

    type: Any
    meaning: str


@cache
def columns_of(table: str) -> dict[str, Column]:
    """Name -> column of one table. KeyError if there is no such table, or a type that the API does not show."""
    sql = {migration.name: migration.sql for migration in clickhouse_migrations()}[table]
    return {name: Column(_python(kind), meaning) for name, kind, meaning in _COLUMN.findall(sql)}


def _python(kind: str) -> Any:
    wrapped = _WRAPPED.fullmatch(kind)
    if wrapped:
        inner = _python(wrapped.group(2))
        return inner | None if wrapped.group(1) == "Nullable" else inner
    if re.fullmatch(r"U?Int\d+", kind):
        return int
    if kind == "Array(String)":
        return list[str]
    if kind.startswith("Map("):
        return dict[int, int]
    return _TYPES[kind.partition("(")[0]]
