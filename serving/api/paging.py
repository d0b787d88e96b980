"""Pages by key: a cursor holds the last row's key, so a page costs the same wherever it lies.

A cursor is opaque, belongs to one query, and knows the publication that its first page was read from: pages of two
publications are never mixed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, Field, TypeAdapter

from serving.api.days import Day
from serving.api.problems import invalid

DEFAULT_SIZE = 100
MAX_SIZE = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Size = Annotated[int, Query(alias="page_size", ge=1, le=MAX_SIZE, description="Rows of a page")]
CursorText = Annotated[
    str | None,
    Query(
        alias="cursor", max_length=2000, description="`page.next_cursor` of the page before, with the same parameters"
    ),
]

Kind = Literal["day", "text", "number", "time"]


@dataclass(frozen=True)
class _Of:
    """A kind of key column: its value as SQL with a parameter, and what a cursor may hold."""

    sql: str
    type: TypeAdapter[Any]


_NUMBER: TypeAdapter[Any] = TypeAdapter(Annotated[int, Field(strict=True, ge=0, lt=1 << 63)])
_KINDS: dict[Kind, _Of] = {
    "day": _Of("{{{name}:Date}}", TypeAdapter(Day)),
    "text": _Of("{{{name}:String}}", TypeAdapter(Annotated[str, Field(strict=True)])),
    "number": _Of("{{{name}:UInt64}}", _NUMBER),
    "time": _Of("fromUnixTimestamp64Milli({{{name}:Int64}}, 'UTC')", _NUMBER),
}


class PageInfo(BaseModel):
    """Where a page stands."""

    size: int = Field(description="Rows of this page")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last one")


class _Cursor(BaseModel):
    query: str
    publication: str
    after: list[Any]


@dataclass(frozen=True)
class Keyset:
    """The columns that rows are ordered by and their kinds. Together they tell any two rows apart."""

    columns: Mapping[str, Kind]
    descending: bool = False

    @property
    def order(self) -> str:
        """The ORDER BY clause."""
        direction = "DESC" if self.descending else "ASC"
        return "ORDER BY " + ", ".join(f"{column} {direction}" for column in self.columns)

    @property
    def after(self) -> str:
        """The condition for rows behind the cursor, whose values are the parameters `after_0`, `after_1` ..."""
        values = (_KINDS[kind].sql.format(name=f"after_{i}") for i, kind in enumerate(self.columns.values()))
        return f"({', '.join(self.columns)}) {'<' if self.descending else '>'} ({', '.join(values)})"

    def of(self, row: Mapping[str, Any]) -> list[Any]:
        """The key of a row, as a cursor holds it."""
        return [_plain(row[column]) for column in self.columns]

    def parameters(self, key: Sequence[Any]) -> dict[str, Any]:
        """The parameters of `after`. Raises ``ValidationError``, ValueError."""
        pairs = zip(self.columns.values(), key, strict=True)
        return {f"after_{i}": _KINDS[kind].type.validate_python(value) for i, (kind, value) in enumerate(pairs)}


@dataclass(frozen=True)
class Page:
    """A page to be read. `query` is any text that is the same for the same query."""

    keyset: Keyset
    query: str
    size: int
    cursor: str | None

    def start(self) -> tuple[dict[str, Any], str | None]:
        """The parameters of the condition `after`, and the publication of the first page; ({}, None) on the first."""
        if self.cursor is None:
            return {}, None
        try:
            found = _Cursor.model_validate_json(base64.b64decode(self.cursor.encode(), b"-_", validate=True))
            parameters = self.keyset.parameters(found.after)
        except ValueError as error:
            raise invalid("query.cursor", "not a cursor of this API; leave it out to get the first page") from error
        if found.query != self._fingerprint:
            raise invalid("query.cursor", "belongs to another query; repeat the other parameters unchanged")
        return parameters, found.publication

    def cut(self, rows: list[dict[str, Any]], publication: str) -> dict[str, Any]:
        """`data` and `page` of an answer, from up to `size` + 1 rows."""
        shown = rows[: self.size]
        more = len(rows) > self.size
        cursor = self._cursor(self.keyset.of(shown[-1]), publication) if more else None
        return {"data": shown, "page": PageInfo(size=len(shown), next_cursor=cursor)}

    def _cursor(self, key: list[Any], publication: str) -> str:
        document = _Cursor(query=self._fingerprint, publication=publication, after=key).model_dump_json()
        return base64.urlsafe_b64encode(document.encode()).decode()

    @property
    def _fingerprint(self) -> str:
        return sha256(self.query.encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    """Times as milliseconds: a parameter of ClickHouse's time type would be read in the server's zone."""
    return (value - _EPOCH) // timedelta(milliseconds=1) if isinstance(value, datetime) else value
