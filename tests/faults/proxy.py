"""What stands between a worker and the store: passes requests on, or delays, refuses, holds or loses them."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.support.waiting import until

UPSTREAM_SECONDS = 120.0
HOLD_SECONDS = 180.0
_INSERT = re.compile(r"insert\s+into\s+[`\"]?(?:\w+[`\"]?\.[`\"]?)?(\w+)", re.IGNORECASE)
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "host", "content-length"})


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that is killed leaves its connections behind."""


class Proxy:
    """One worker's way to the store. `inserts` counts, by table, those that the store has answered."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = host, port
        self.inserts: Counter[str] = Counter()
        self.lost = self.refused = 0
        self.delay = 0.0
        self.dead = False
        self.lose_every = 0
        self.swallowed: set[str] = set()
        self.in_flight: Callable[[str], None] | None = None
        self._held_table = ""
        self._held, self._release = threading.Event(), threading.Event()
        self._held_is_lost = False
        self._lock = threading.Lock()
        self._server = _Listener(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where the worker finds the store."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening; what is held is let go."""
        self._release.set()
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """No connection gets an answer while the block runs."""
        self.dead = True
        try:
            yield
        finally:
            self.dead = False

    def hold(self, table: str) -> None:
        """Keep back the next insert into this table, until `release`."""
        self._held.clear()
        self._release.clear()
        self._held_is_lost = False
        self._held_table = table

    def swallow(self, table: str) -> None:
        """From now on, say that inserts into this table are done, and do nothing."""
        self.swallowed.add(table)

    def wait_held(self) -> None:
        """Wait until an insert is being kept back."""
        until(self._held.is_set, f"an insert into {self._held_table} to be held")

    def release(self) -> None:
        """Let go what is held, and hold nothing more."""
        self._held_table = ""
        self._release.set()

    def lose_held(self) -> None:
        """The store never hears of what is held; nothing more is held."""
        self._held_is_lost = True
        self.release()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
                """Nothing is told."""

            def do_GET(self) -> None:
                proxy._pass_on(self)

            def do_POST(self) -> None:
                proxy._pass_on(self)

        return Handler

    def _pass_on(self, request: BaseHTTPRequestHandler) -> None:
        body = _body(request)
        table = _insert_table(request, body)
        if self.dead:
            self._drop(request)
            return
        time.sleep(self.delay)
        if table and table == self._held_table:
            self._held_table = ""
            self._held.set()
            self._release.wait(HOLD_SECONDS)
            if self._held_is_lost:
                self._drop(request)
                return
        if table and self.in_flight is not None:
            self.in_flight(table)
        if table in self.swallowed:
            _answer(request, HTTPStatus.OK, [], b"")
            return
        try:
            status, headers, answer = self._ask(request, body)
        except (OSError, http.client.HTTPException):
            self._drop(request)
            return
        if self.dead or (table and self._loses(table)):
            self._drop(request)
            return
        _answer(request, status, headers, answer)

    def _ask(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = http.client.HTTPConnection(*self._upstream, timeout=UPSTREAM_SECONDS)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
            upstream.request(request.command, request.path, body=body, headers=headers)
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def _loses(self, table: str) -> bool:
        """Whether the answer to this insert, which the store has done, is to be lost."""
        with self._lock:
            self.inserts[table] += 1
            loses = bool(self.lose_every) and sum(self.inserts.values()) % self.lose_every == 0
            self.lost += loses
        return loses

    def _drop(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.refused += 1
        request.close_connection = True


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    parts = []
    while size := int(request.rfile.readline().split(b";")[0], 16):
        parts.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(parts)


def _insert_table(request: BaseHTTPRequestHandler, body: bytes) -> str:
    asked = parse_qs(urlsplit(request.path).query).get("query", [""])[0] or body[:200].decode("latin-1")
    found = _INSERT.match(asked.strip())
    return found.group(1) if found else ""


def _answer(request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    try:
        request.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP:
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
    except OSError:
        request.close_connection = True
