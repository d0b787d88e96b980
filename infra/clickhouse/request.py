"""What a request asks for: its URL, its headers and its body as one object."""

from __future__ import annotations

import io
import uuid
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import IO

from infra.clickhouse.errors import Code, QueryError
from infra.clickhouse.formats import response_encoding
from infra.clickhouse.settings import engine_settings, parameters

_TRUE = ("1", "true")
_DEFAULT_TIMEOUT_S = 60
_LONGEST_TIMEOUT_S = 3600


@dataclass(frozen=True)
class SessionWish:
    """A session that the caller wants to be in: its name, seconds of idling it may live, whether it must exist."""

    name: str
    timeout: int
    must_exist: bool
    close: bool


@dataclass(frozen=True)
class Request:
    """One request. `text` is the URL's part of the statement, `body` the rest of it and the data; the body is as sent.

    `encoding` is the compression of the answer, None for none; `buffered` holds the answer back until it is complete.
    """

    query_id: str
    text: bytes
    body: IO[bytes]
    content_encoding: str
    settings: Mapping[str, str]
    params: Mapping[str, str]
    database: str | None
    default_format: str | None
    reads_only: bool
    session: SessionWish | None
    encoding: str | None
    buffered: bool

    @property
    def question(self) -> Hashable:
        """All that the answer depends on but for the body, the session and what is stored."""
        asked = (self.text, self.content_encoding, self.database, self.default_format, self.reads_only)
        how = (frozenset(self.settings.items()), frozenset(self.params.items()), self.encoding, self.buffered)
        return asked, how


def read_request(method: str, url: Mapping[str, str], headers: Mapping[str, str]) -> Request:
    """The request that URL and headers (lower case) describe, its body still to be filled in.

    Raises `QueryError` for what is not served here.
    """
    _refuse_unsupported(url, headers)
    reads_only = method != "POST" or url.get("readonly", "0") not in ("0", "")
    settings = engine_settings(url)
    if "session_id" in url:
        settings.pop("readonly", None)
    return Request(
        query_id=url.get("query_id") or str(uuid.uuid4()),
        text=url.get("query", "").encode(),
        body=io.BytesIO(),
        content_encoding=headers.get("content-encoding", ""),
        settings=settings,
        params=parameters(url),
        database=url.get("database") or headers.get("x-clickhouse-database"),
        default_format=url.get("default_format") or headers.get("x-clickhouse-format"),
        reads_only=reads_only,
        session=_session(url) if url.get("session_id") else None,
        encoding=response_encoding(headers, url),
        buffered=url.get("wait_end_of_query", "0") in _TRUE,
    )


def _session(url: Mapping[str, str]) -> SessionWish:
    timeout = url.get("session_timeout", str(_DEFAULT_TIMEOUT_S))
    if not timeout.isdigit() or int(timeout) > _LONGEST_TIMEOUT_S:
        raise QueryError.of(
            Code.BAD_ARGUMENTS, f"session_timeout is {timeout!r}: give seconds up to {_LONGEST_TIMEOUT_S}"
        )
    check, close = (url.get(name, "0") in _TRUE for name in ("session_check", "close_session"))
    return SessionWish(url["session_id"], int(timeout), check, close)


def _refuse_unsupported(url: Mapping[str, str], headers: Mapping[str, str]) -> None:
    if url.get("decompress", "0") in _TRUE or url.get("compress", "0") in _TRUE:
        raise QueryError.of(
            Code.NOT_IMPLEMENTED, "ClickHouse's own block compression is not served: use enable_http_compression"
        )
    if headers.get("content-type", "").startswith("multipart/form-data"):
        raise QueryError.of(
            Code.NOT_IMPLEMENTED, "external tables are not served: insert into a temporary table of a session"
        )
