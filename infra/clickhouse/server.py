"""The HTTP interface: from a request to a session of the engine, and back."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, cast
from urllib.parse import parse_qsl

from infra.clickhouse.body import Body
from infra.clickhouse.engine import Engine, Link
from infra.clickhouse.errors import Code, QueryError
from infra.clickhouse.formats import response_encoding
from infra.clickhouse.pipe import Pipe
from infra.clickhouse.query import Answer, Request, run
from infra.clickhouse.results import Outlet, Send, plain
from infra.clickhouse.sessions import Sessions
from infra.clickhouse.settings import engine_settings, parameters
from infra.clickhouse.users import User, Users, credentials

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

_SWEEP_S = 5.0
_STOP_S = 10.0
_BUFFER = 1 << 20
_TRUE = ("1", "true")
_log = logging.getLogger(__name__)


class Server:
    """An ASGI application over one engine; `slots` queries run at once, others wait up to `patience_s` for their turn."""

    def __init__(self, engine: Engine, users: Users, slots: int = 12, patience_s: float = 30.0) -> None:
        self._engine = engine
        self._users = users
        self._patience_s = patience_s
        self._slots = asyncio.Semaphore(slots)
        self._threads = ThreadPoolExecutor(slots + 2, thread_name_prefix="query")
        self._sessions = Sessions()
        self._jobs: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        url = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        if scope["path"] != "/" or (scope["method"] in ("GET", "HEAD") and "query" not in url):
            await plain(send, scope["path"])
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        outlet = Outlet(
            send,
            url.get("query_id") or str(uuid.uuid4()),
            response_encoding(headers, url),
            url.get("wait_end_of_query", "0") in _TRUE,
            self._engine.spill,
        )
        try:
            user = self._users.check(*credentials(headers, url))
            _refuse_unsupported(url, headers)
            async with self._slot():
                await self._answer(user, scope["method"], url, headers, receive, outlet)
        except QueryError as error:
            await outlet.error(error)

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            await asyncio.wait_for(self._slots.acquire(), self._patience_s)
        except TimeoutError as error:
            raise QueryError.of(
                Code.TOO_MANY_SIMULTANEOUS_QUERIES, f"no query finished within {self._patience_s:g} s: try again later"
            ) from error
        try:
            yield
        finally:
            self._slots.release()

    async def _answer(
        self,
        user: User,
        method: str,
        url: Mapping[str, str],
        headers: Mapping[str, str],
        receive: Receive,
        outlet: Outlet,
    ) -> None:
        message = await receive()
        body = Body(asyncio.get_running_loop()) if message.get("more_body") else None
        request = Request(
            text=url.get("query", "").encode(),
            body=cast("IO[bytes]", io.BufferedReader(body, _BUFFER)) if body else io.BytesIO(message.get("body", b"")),
            content_encoding=headers.get("content-encoding", ""),
            settings=engine_settings(url),
            params=parameters(url),
            database=url.get("database") or headers.get("x-clickhouse-database"),
            default_format=url.get("default_format") or headers.get("x-clickhouse-format"),
            reads_only=method != "POST" or url.get("readonly", "0") not in ("0", ""),
        )
        with self._link(user, url) as link:
            running = asyncio.ensure_future(self._run(link, request, "session_id" in url, outlet))
            watching = asyncio.ensure_future(_watch(receive, message.get("body", b""), body, running))
            try:
                await running
            except asyncio.CancelledError:
                if not (watching.done() and not watching.cancelled()):
                    raise
                _log.info("query %s: the client went away", outlet.query_id)
            finally:
                watching.cancel()

    @contextlib.contextmanager
    def _link(self, user: User, url: Mapping[str, str]) -> Any:
        """The request's connection: the session's, or a fresh one that is thrown away afterwards."""
        if "session_id" not in url:
            link = self._engine.take(user.profile)
            try:
                yield link
            finally:
                self._threads.submit(self._replace, link)
            return
        link = self._sessions.enter(user.name, url, lambda: self._engine.take(user.profile))
        try:
            yield link
        finally:
            closing = self._sessions.leave(user.name, url["session_id"], url.get("close_session", "0") in _TRUE)
            if closing is not None:
                self._threads.submit(closing.close)

    def _replace(self, link: Link) -> None:
        link.close()
        self._engine.prepare(link.profile)

    async def _run(self, link: Link, request: Request, pinned: bool, outlet: Outlet) -> None:
        pipe, answer = Pipe(), Answer()
        job = asyncio.get_running_loop().run_in_executor(
            self._threads, run, self._engine, link, request, pipe.path, outlet.encoding, answer, pinned
        )
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        try:
            await outlet.stream(pipe, job, answer)
        finally:
            if not job.done():
                pipe.stop()
                await self._stop(job, link)
            pipe.close()

    async def _stop(self, job: asyncio.Future[None], link: Link) -> None:
        """Cancels the query and waits for its thread, which still uses the connection and the pipe."""
        while not job.done():
            await asyncio.to_thread(self._engine.cancel, link.tag)
            await asyncio.wait([job], timeout=1.0)
        job.exception()

    async def sweep(self) -> None:
        """Closes idle sessions, until it is cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            for link in self._sessions.expired():
                self._threads.submit(link.close)

    async def close(self) -> bool:
        """Waits for the last queries, which are being cancelled, and closes all connections; whether that succeeded."""
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=_STOP_S)
        if self._jobs:
            _log.error("%d queries do not stop", len(self._jobs))
            return False
        await asyncio.sleep(0)
        for link in self._sessions.forget_all():
            self._threads.submit(link.close)
        await asyncio.to_thread(self._threads.shutdown)
        return True


async def _watch(receive: Receive, first: bytes, body: Body | None, running: asyncio.Future[None]) -> None:
    """Hands the body on as it comes; then waits for the client to go away, and cancels what it had asked for."""
    more = body is not None
    if body is not None:
        await body.feed(first, last=False)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            if body is not None and more:
                body.abort()
            running.cancel()
            return
        more = bool(message.get("more_body"))
        if body is not None:
            await body.feed(message.get("body", b""), last=not more)


def _refuse_unsupported(url: Mapping[str, str], headers: Mapping[str, str]) -> None:
    if url.get("decompress", "0") in _TRUE or url.get("compress", "0") in _TRUE:
        raise QueryError.of(
            Code.NOT_IMPLEMENTED, "ClickHouse's own block compression is not served: use enable_http_compression"
        )
    if headers.get("content-type", "").startswith("multipart/form-data"):
        raise QueryError.of(
            Code.NOT_IMPLEMENTED, "external tables are not served: insert into a temporary table of a session"
        )
