"""One request, run in a thread: from its text and body to rows in a pipe."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from infra.clickhouse.body import BodyAborted
from infra.clickhouse.decoding import Readable, decoded
from infra.clickhouse.engine import Engine, Link
from infra.clickhouse.errors import Code, QueryError
from infra.clickhouse.formats import DEFAULT_FORMAT
from infra.clickhouse.guard import check
from infra.clickhouse.insert import insert
from infra.clickhouse.lease import Lease
from infra.clickhouse.parse import Statement
from infra.clickhouse.request import Request
from infra.clickhouse.statement import Incomplete, InsertHead, insert_head

_HEAD = 64 << 10
_LONGEST_STATEMENT = 64 << 20


@dataclass
class Answer:
    """What came of it, filled in while the request runs; `format` is known before the first row is in the pipe.

    `rows` and `bytes` are read ones for a query, written ones for an insert.
    """

    format: str | None = None
    body: bytes = b""
    summary: dict[str, str] = field(default_factory=dict)


def run(lease: Lease, request: Request, pipe: str, answer: Answer) -> None:
    """Runs a request on the connection of its lease; rows go to the file named `pipe`. Raises `QueryError`."""
    started = time.monotonic_ns()
    try:
        with lease.opened(request) as link:
            counts = _run(lease.engine, link, request, pipe, answer)
    except BodyAborted as error:
        raise QueryError.of(Code.ABORTED, "the client went away before its data were complete") from error
    answer.summary = {**counts, "elapsed_ns": str(time.monotonic_ns() - started)}


def _run(engine: Engine, link: Link, request: Request, pipe: str, answer: Answer) -> dict[str, str]:
    data = decoded(request.body, request.content_encoding)
    text = request.text.removesuffix(b"\n") + b"\n" if request.text else b""
    head, text = _read_head(text, data)
    if head is not None:
        return _insert(engine, link, request, head, _Joined(text[head.data_start :], data))
    sql = _decode(text + _read_rest(data, len(text)))
    statement = engine.parser.parse(sql, link.value)
    _allow(engine, link, request, statement)
    return _query(link, request, statement, sql, pipe, answer)


def _read_head(text: bytes, data: Readable) -> tuple[InsertHead | None, bytes]:
    """The head of an INSERT with data, if it is one, and the text that was read to know."""
    size = _HEAD
    while True:
        piece = _read_exactly(data, size)
        text += piece
        try:
            return insert_head(text, complete=len(piece) < size), text
        except Incomplete:
            if len(text) > _LONGEST_STATEMENT:
                raise _too_long() from None
            size *= 2


def _read_exactly(data: Readable, size: int) -> bytes:
    pieces = []
    while size > 0 and (piece := data.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _read_rest(data: Readable, so_far: int) -> bytes:
    rest = _read_exactly(data, _LONGEST_STATEMENT - so_far + 1)
    if so_far + len(rest) > _LONGEST_STATEMENT:
        raise _too_long()
    return rest


def _too_long() -> QueryError:
    return QueryError.of(
        Code.SYNTAX_ERROR, f"the statement is longer than {_LONGEST_STATEMENT} bytes: insert data instead"
    )


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise QueryError.of(Code.SYNTAX_ERROR, f"the statement is not UTF-8: {error}") from error


class _Joined(Readable):
    """What was read already, then the rest of the stream."""

    def __init__(self, first: bytes, rest: Readable) -> None:
        self._first = first
        self._rest = rest

    def read(self, size: int) -> bytes:
        if self._first:
            piece, self._first = self._first[:size], self._first[size:]
            return piece
        return self._rest.read(size)


def _allow(engine: Engine, link: Link, request: Request, statement: Statement) -> None:
    check(statement, link.profile, engine.reach, link.database)
    if request.reads_only and not statement.only_reads:
        raise QueryError.of(Code.READONLY, "GET, and the setting readonly, only read: send this statement by POST")


def _insert(engine: Engine, link: Link, request: Request, head: InsertHead, data: Readable) -> dict[str, str]:
    sql = _decode(head.statement)
    link.altered = link.altered or bool(request.params)
    _allow(engine, link, request, engine.parser.parse(f"{sql} FORMAT {head.format}", link.value))
    written = insert(link, head, data, request.params, engine.spill)
    return {"read_rows": "0", "read_bytes": "0", "written_rows": str(written.rows), "written_bytes": str(written.bytes)}


def _query(link: Link, request: Request, statement: Statement, sql: str, pipe: str, answer: Answer) -> dict[str, str]:
    default = request.default_format or DEFAULT_FORMAT
    if statement.select is None:
        link.altered = link.altered or statement.alters_session
        result = link.run(sql, default, request.params)
        answer.body = result.bytes()
        answer.format = (statement.format or default) if statement.has_rows else None
        if statement.kind == "UseQuery":
            link.database = link.value("SELECT currentDatabase()")
    else:
        answer.format = statement.select.format or default
        result = link.run(statement.select.into(pipe, request.encoding, default), "Null", request.params)
    return {
        "read_rows": str(result.storage_rows_read()),
        "read_bytes": str(result.storage_bytes_read()),
        "written_rows": str(result.rows_written()),
        "written_bytes": str(result.bytes_written()),
        "result_rows": str(result.rows_read()),
        "result_bytes": str(result.bytes_read()),
    }
