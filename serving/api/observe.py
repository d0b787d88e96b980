"""What the server tells of itself: a request id on every answer, a line of log per request, and Prometheus' metrics."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.problems import INTERNAL, Problem, response
from serving.api.store import Store
from serving.gate.outlet import Outlet

_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}

_access = logging.getLogger("serving.api.access")
_log = logging.getLogger(__name__)


class Metrics:
    """The counters of one application."""

    def __init__(self, store: Store, outlet: Outlet) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "rivermeet_api_requests", "Requests answered", ["route", "method", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "rivermeet_api_request_seconds", "Time to answer", ["route"], buckets=_BUCKETS, registry=self._registry
        )
        lent = Gauge("rivermeet_api_clickhouse_clients", "Connections to ClickHouse in use", registry=self._registry)
        lent.set_function(lambda: store.lent)
        self._records = Counter(
            "rivermeet_gate_records", "Records judged at the gate", ["kind", "outcome"], registry=self._registry
        )
        waiting = Gauge("rivermeet_gate_in_flight", "Records that wait for Kafka's answer", registry=self._registry)
        waiting.set_function(lambda: outlet.in_flight)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts one answered request; `route` is the path's pattern, so that ids do not become labels."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_records(self, kind: str, outcome: str, records: int) -> None:
        """Counts records that came to the gate."""
        self._records.labels(kind, outcome).inc(records)

    def show(self) -> Response:
        """The text that Prometheus reads."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


class Observed:
    """Middleware around everything else: whatever happens inside, the caller gets an answer with a request id."""

    def __init__(self, app: ASGIApp, metrics: Metrics, new_id: Callable[[], str]) -> None:
        self._app, self._metrics, self._new_id = app, metrics, new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else self._new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id)
        began = time.perf_counter()
        try:
            await self._app(scope, receive, answer.send)
        except Exception:  # noqa: BLE001 - the last catch: it is logged, and the caller gets a problem
            _log.exception("request %s failed", request_id)
            await self._apologise(scope, receive, answer, request_id)
        finally:
            self._report(scope, answer.status, time.perf_counter() - began)

    async def _apologise(self, scope: Scope, receive: Receive, answer: _Answer, request_id: str) -> None:
        if answer.status:
            return
        problem = Problem(INTERNAL, "the server's log has the reason under this request id")
        await response(problem, scope["path"], request_id)(scope, receive, answer.send)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path_format", "none")
        self._metrics.count(route, _method(scope), status, seconds)
        state = scope["state"]
        facts = {
            "request_id": state["request_id"],
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 1),
            "key_id": state.get("key_id"),
        }
        _access.info("request", extra={"facts": facts})


_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def _method(scope: Scope) -> str:
    """A caller may invent methods, and each would become a time series."""
    return scope["method"] if scope["method"] in _METHODS else "other"


class _Answer:
    """Sends an answer with the headers that all answers have, and remembers its status (0: none yet)."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id = send, request_id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


class JsonLines(logging.Formatter):
    """A log record as one line of JSON: time (UTC), level, logger, message, and the record's facts."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": when, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
