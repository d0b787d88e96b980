"""Cutting a request's text: an INSERT from its data, and a SELECT at the place where its output is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from infra.clickhouse.lexer import Token, tokens

_QUERIES = (b"SELECT", b"WITH", b"FROM", b"EXPLAIN", b"WATCH")


@dataclass(frozen=True)
class InsertHead:
    """An INSERT without its data: the statement up to FORMAT or VALUES, the data's format, where the data begins."""

    statement: bytes
    format: str
    data_start: int


class Incomplete(Exception):
    """The text ends before it can be told where the data of an INSERT begin; read more of it."""


def first_word(text: bytes) -> bytes:
    """The statement's first word in upper case, behind comments and brackets; empty when there is none."""
    word = next((token for token in tokens(text) if token.kind == "word"), None)
    return word.text.upper() if word else b""


def insert_head(text: bytes, complete: bool) -> InsertHead | None:
    """The head of an INSERT that brings data; None for other statements, INSERT ... SELECT among them.

    Raises `Incomplete` when `text` is only the beginning of the statement and does not tell.
    """
    if first_word(text) != b"INSERT":
        return None
    stream = tokens(text)
    _skip_target(stream)
    for token in stream:
        if not complete and (token.end == len(text) or token.opens):
            raise Incomplete
        if token.is_word(*_QUERIES):
            return None
        if token.depth == 0 and token.is_word(b"VALUES"):
            return InsertHead(text[: token.start], "Values", token.end)
        if token.depth == 0 and token.is_word(b"FORMAT"):
            return _with_format(text, token, stream, complete)
    if complete:
        return None
    raise Incomplete


def _skip_target(stream: Iterator[Token]) -> None:
    """Reads past INSERT INTO [TABLE | FUNCTION] name, which may be called `format` or `values`."""
    for token in stream:
        if not token.is_word(b"INSERT", b"INTO", b"TABLE", b"FUNCTION"):
            return


def _with_format(text: bytes, keyword: Token, stream: Iterator[Token], complete: bool) -> InsertHead | None:
    name = next(stream, None)
    if not complete and (name is None or name.end == len(text)):
        raise Incomplete
    if name is None:
        return None
    return InsertHead(text[: keyword.start], name.name, _data_start(text, name.end))


def _data_start(text: bytes, position: int) -> int:
    """Data begin after the format's name, one semicolon, blanks, and one line end, as in ClickHouse's own parser."""
    if text[position : position + 1] == b";":
        position += 1
    while text[position : position + 1] in (b" ", b"\t", b"\f"):
        position += 1
    for end in (b"\r", b"\n"):
        if text[position : position + 1] == end:
            position += 1
    return position


@dataclass(frozen=True)
class Select:
    """A query cut around its FORMAT clause: `before` it, `after` it, and the format's name where one is given."""

    before: str
    after: str
    format: str | None

    def into(self, file: str, compression: str | None, default_format: str) -> str:
        """The query, with its rows written to a file of the owner's."""
        pressed = f" COMPRESSION '{compression}'" if compression else ""
        return (
            f"{self.before}\nINTO OUTFILE '{file}' TRUNCATE{pressed} FORMAT {self.format or default_format}{self.after}"
        )


def cut_select(sql: str, format_name: str | None) -> Select:
    """Cuts a query around the FORMAT clause that the engine's parser has found in it (`format_name`, or None)."""
    text = sql.encode()
    found = list(tokens(text))
    while found and found[-1].text == b";":
        found.pop()
    end = found[-1].end if found else 0
    if format_name is None:
        return Select(text[:end].decode(), "", None)
    for keyword, name in zip(reversed(found[:-1]), reversed(found[1:]), strict=True):
        if keyword.depth == 0 and keyword.is_word(b"FORMAT") and name.name == format_name:
            return Select(text[: keyword.start].decode(), text[name.end : end].decode(), format_name)
    return Select(text[:end].decode(), "", None)
