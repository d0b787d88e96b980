"""The HTTP interface: from a request to a session of the engine, and back."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, cast
from urllib.parse import parse_qsl

from infra.clickhouse.body import Body
from infra.clickhouse.engine import Engine
from infra.clickhouse.errors import Code, QueryError
from infra.clickhouse.lease import Lease
from infra.clickhouse.pipe import Pipe
from infra.clickhouse.query import Answer, run
from infra.clickhouse.request import Request, read_request
from infra.clickhouse.results import Outlet, Send, plain, send_error
from infra.clickhouse.sessions import Sessions
from infra.clickhouse.sharing import Sharing
from infra.clickhouse.users import User, Users, credentials

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

_SWEEP_S = 5.0
_STOP_S = 10.0
_BUFFER = 1 << 20
_log = logging.getLogger(__name__)


class Server:
    """An ASGI application over one engine. `slots` queries run at once; others wait up to `patience_s`."""

    def __init__(self, engine: Engine, users: Users, slots: int = 12, patience_s: float = 30.0) -> None:
        self._engine = engine
        self._users = users
        self._patience_s = patience_s
        self._slots = asyncio.Semaphore(slots)
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="query")
        self._sessions = Sessions()
        self._jobs: set[asyncio.Future[None]] = set()
        cores = len(os.sched_getaffinity(0))
        self._sharing = Sharing(is_busy=lambda: len(self._jobs) >= cores)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        url = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        if scope["path"] != "/" or (scope["method"] in ("GET", "HEAD") and "query" not in url):
            await plain(send, scope["path"])
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            user = self._users.check(*credentials(headers, url))
            request = read_request(scope["method"], url, headers)
            await self._answer(user, request, receive, send)
        except QueryError as error:
            await send_error(send, error, url.get("query_id", ""))

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            if self._slots.locked():
                await asyncio.wait_for(self._slots.acquire(), self._patience_s)
            else:
                await self._slots.acquire()
        except TimeoutError as error:
            raise QueryError.of(
                Code.TOO_MANY_SIMULTANEOUS_QUERIES, f"no query finished within {self._patience_s:g} s: try again later"
            ) from error
        try:
            yield
        finally:
            self._slots.release()

    async def _answer(self, user: User, request: Request, receive: Receive, send: Send) -> None:
        """Answers while watching whether the client is still there; gives the query up when it is not."""
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        first = message.get("body", b"")
        body = Body(asyncio.get_running_loop()) if message.get("more_body") else None
        stream = cast("IO[bytes]", io.BufferedReader(body, _BUFFER)) if body else io.BytesIO(first)
        job = dataclasses.replace(request, body=stream)
        answering = asyncio.ensure_future(self._shared(user, job, None if body else first, body, send))
        watching = asyncio.ensure_future(_watch(receive, first, body, answering))
        try:
            await answering
        except asyncio.CancelledError:
            if not watching.done():
                raise
            _log.info("query %s: the client went away", request.query_id)
        finally:
            watching.cancel()

    async def _shared(self, user: User, request: Request, whole: bytes | None, body: Body | None, send: Send) -> None:
        """Runs the request; one that only reads, and came `whole`, may share a run with equal ones."""

        async def run(send: Send) -> None:
            async with self._slot():
                await self._in_session(user, request, body, send)

        if whole is None or not user.profile.reads_only or request.session:
            await run(send)
        else:
            await self._sharing.answer((user.name, request.question, whole), run, send)

    async def _in_session(self, user: User, request: Request, body: Body | None, send: Send) -> None:
        session = self._sessions.enter(user.name, request.session) if request.session else None
        try:
            await self._run(Lease(self._engine, user.profile, session), request, body, send)
        finally:
            if session:
                self._sessions.leave(session)

    async def _run(self, lease: Lease, request: Request, body: Body | None, send: Send) -> None:
        pipe, answer, clean = Pipe(), Answer(), False
        job = asyncio.get_running_loop().run_in_executor(self._threads, run, lease, request, pipe.path, answer)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        try:
            await Outlet(send, request, self._engine.spill).stream(pipe, job, answer)
            clean = True
        finally:
            if not job.done():
                pipe.stop()
                if body is not None:
                    body.abort()
                await self._stop(job, lease)
            pipe.close()
            lease.end(clean)

    async def _stop(self, job: asyncio.Future[None], lease: Lease) -> None:
        """Cancels the query and waits for its thread, which still uses the connection and the pipe."""
        while not job.done():
            if lease.link is not None:
                await asyncio.to_thread(self._engine.cancel, lease.link.tag)
            await asyncio.wait([job], timeout=1.0)
        job.exception()

    async def sweep(self) -> None:
        """Closes idle sessions, until it is cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            self._sessions.close_idle()

    async def close(self) -> bool:
        """Waits for the last queries, which are being cancelled, and closes all connections; whether that succeeded."""
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=_STOP_S)
        if self._jobs:
            _log.error("%d queries do not stop", len(self._jobs))
            return False
        await asyncio.sleep(0)
        self._sessions.close_idle(at_least=0)
        await asyncio.to_thread(self._threads.shutdown)
        return True


async def _watch(receive: Receive, first: bytes, body: Body | None, answering: asyncio.Future[None]) -> None:
    """Hands the body on as it comes; then waits for the client to go away, and cancels what it had asked for."""
    if body is not None:
        await body.feed(first, last=False)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            answering.cancel()
            return
        if body is not None:
            await body.feed(message.get("body", b""), last=not message.get("more_body"))
