"""Inserts: bytes of a format, from a stream into a table, in constant memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.clickhouse.decoding import Readable
from infra.clickhouse.engine import Link
from infra.clickhouse.errors import QueryError
from infra.clickhouse.formats import NOT_STREAMED
from infra.clickhouse.settings import quote, set_statement
from infra.clickhouse.statement import InsertHead

_PIECE = 1 << 20
_ARROW_MAGIC = b"ARROW1\0\0"


@dataclass(frozen=True)
class Written:
    """What an insert wrote, views included."""

    rows: int
    bytes: int


def insert(link: Link, head: InsertHead, data: Readable, params: Mapping[str, str], spill: Path) -> Written:
    """Writes `data` and returns when the engine has committed it.

    A body that ends early, for whatever reason it raises, is not committed: the insert is cancelled.
    """
    if params:
        link.run(set_statement({f"param_{name}": value for name, value in params.items()}))
    if head.format in NOT_STREAMED:
        return _from_file(link, head, data, spill)
    first = data.read(_PIECE)
    if head.format == "Arrow" and first.startswith(_ARROW_MAGIC):
        return _streamed(link, InsertHead(head.statement, "ArrowStream", 0), first[len(_ARROW_MAGIC) :], data)
    return _streamed(link, head, first, data)


def _streamed(link: Link, head: InsertHead, first: bytes, data: Readable) -> Written:
    """An Arrow file is, between its magic and its footer, an Arrow stream: so it need not be held whole either."""
    try:
        inserter = link.connection.send_insert(head.statement.decode(), head.format)
        with inserter:
            piece = first
            while piece:
                inserter.append(piece)
                piece = data.read(_PIECE)
            return _written(inserter.finish())
    except RuntimeError as error:
        raise QueryError.from_engine(str(error)) from error


def _from_file(link: Link, head: InsertHead, data: Readable, spill: Path) -> Written:
    with tempfile.NamedTemporaryFile(dir=spill) as file:
        while piece := data.read(_PIECE):
            file.write(piece)
        file.flush()
        sql = f"{head.statement.decode()} FROM INFILE {quote(os.fspath(file.name))} FORMAT {head.format}"
        result = link.run(sql)
    return Written(result.rows_written(), result.bytes_written())


def _written(result: Any) -> Written:
    return Written(result.rows_written, result.bytes_written)
