"""Results on their way out: rows from the pipe into an HTTP response, and errors, at whatever moment they come."""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.clickhouse.errors import QueryError
from infra.clickhouse.formats import content_type
from infra.clickhouse.pipe import Pipe
from infra.clickhouse.query import Answer
from infra.clickhouse.request import Request

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
_IN_MEMORY = 8 << 20
_PIECE = 1 << 20
_SOON_S = 0.025
"""How long an answer may take before its rows are fetched while it is made. Most are complete by then: the pipe holds
them, and to be woken for them takes the processor from the query. A long one is held up for as long once."""


class Broken(Exception):
    """An error came after rows had been sent: the connection is cut, so that nobody takes a part for the whole."""


@dataclass(frozen=True)
class Outlet:
    """Where the answer to a request goes; what must be held back and is long, is held in the folder `spill`."""

    send: Send
    request: Request
    spill: Path

    async def stream(self, pipe: Pipe, job: asyncio.Future[None], answer: Answer) -> None:
        """Sends what the job writes into the pipe, as it comes, or all at the end if it is `buffered`.

        Raises the job's `QueryError` when nothing has been sent yet, else `Broken`.
        """
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self.spill)) as held:
            limit = None if self.request.buffered else _PIECE
            await asyncio.wait((job,), timeout=_SOON_S)
            while not job.done() and (limit is None or held.tell() < limit):
                await self._collect(pipe, job, held)
            if job.done():
                job.result()
                await self._finish(pipe, answer, held)
            else:
                await self._send_as_it_comes(pipe, job, answer, held)

    async def _collect(self, pipe: Pipe, job: asyncio.Future[None], held: Any) -> None:
        await pipe.ready_or(job)
        piece = pipe.read()
        if held.tell() + len(piece) > _IN_MEMORY:
            await asyncio.to_thread(held.write, piece)
        else:
            held.write(piece)

    async def _finish(self, pipe: Pipe, answer: Answer, held: Any) -> None:
        while piece := pipe.read():
            held.write(piece)
        held.write(answer.body)
        size = held.tell()
        held.seek(0)
        await self._head(answer, size, encoded=bool(size) and not answer.body)
        while piece := held.read(_PIECE):
            await self._piece(piece)
        await self._piece(b"", more=False)

    async def _send_as_it_comes(self, pipe: Pipe, job: asyncio.Future[None], answer: Answer, held: Any) -> None:
        tag = secrets.token_hex(8)
        await self._head(answer, None, encoded=True, tag=tag)
        held.seek(0)
        await self._piece(held.read())
        while not job.done():
            await pipe.ready_or(job)
            await self._piece(pipe.read())
        while piece := pipe.read():
            await self._piece(piece)
        error = job.exception()
        if error is not None:
            await self._break(error, tag)
        await self._piece(b"", more=False)

    async def _break(self, error: BaseException, tag: str) -> None:
        """The engine's error in the form that ClickHouse ends a broken result with, then no proper end."""
        if self.request.encoding is None and isinstance(error, QueryError):
            text = error.message.encode()
            mark = tag.encode()
            await self._piece(
                b"\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n" % (mark, text, len(text) + 1, mark)
            )
        raise Broken from error

    async def _head(self, answer: Answer, size: int | None, encoded: bool, tag: str | None = None) -> None:
        headers = {"content-type": content_type(answer.format or "")}
        if answer.format:
            headers["x-clickhouse-format"] = answer.format
        if encoded and self.request.encoding:
            headers["content-encoding"] = self.request.encoding
        if size is not None:
            headers["content-length"] = str(size)
        if tag:
            headers["x-clickhouse-exception-tag"] = tag
        headers["x-clickhouse-summary"] = json.dumps(answer.summary)
        await _start(self.send, 200, headers, self.request.query_id)

    async def _piece(self, piece: bytes, more: bool = True) -> None:
        if piece or not more:
            await self.send({"type": "http.response.body", "body": piece, "more_body": more})


async def send_error(send: Send, error: QueryError, query_id: str) -> None:
    """A response that says what went wrong, with ClickHouse's code and status."""
    body = error.message.encode() + b"\n"
    headers = {
        "content-type": "text/plain; charset=UTF-8",
        "x-clickhouse-exception-code": str(error.code),
        "content-length": str(len(body)),
    }
    await _start(send, error.status, headers, query_id)
    await send({"type": "http.response.body", "body": body})


async def _start(send: Send, status: int, headers: Mapping[str, str], query_id: str) -> None:
    common = {
        "x-clickhouse-server-display-name": "rivermeet",
        "x-clickhouse-query-id": query_id,
        "x-clickhouse-timezone": "UTC",
    }
    pairs = [(name.encode(), value.encode("latin-1", "replace")) for name, value in {**common, **headers}.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def plain(send: Send, path: str) -> None:
    """The answers that need no user: that the server is up, or that there is nothing at this path."""
    found = path in ("/", "/ping", "/replicas_status")
    body = b"Ok.\n" if found else f"There is no handle {path}\n".encode()
    headers = [(b"content-type", b"text/html; charset=UTF-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})
