"""Errors: one shape, one type per kind, a status that says who has to act, and no word of what is behind."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from infra.clients.clickhouse import StoreUnavailable
from infra.settings import Api, ClickHouse, Settings
from serving.api.problems import MEDIA_TYPE, Problem
from serving.api.store import Store
from tests.serving.api.conftest import STACK_KEY, Server
from tests.serving.api.feed import Feed

DAYS = {"from_": "2026-03-01", "to": "2026-03-08"}


def check(answer: Any, status: int, kind: str) -> Any:
    document = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, MEDIA_TYPE), answer.text
    assert (document["type"], document["status"]) == (f"urn:rivermeet:problem:{kind}", status)
    assert document["request_id"] == answer.headers["X-Request-ID"]
    assert len(document["detail"]) > 10
    return document


BAD: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("/v1/metrics/daily", {}, "query.from"),
    ("/v1/metrics/daily", DAYS | {"from_": "yesterday"}, "query.from"),
    ("/v1/metrics/daily", DAYS | {"from_": "1969-12-31"}, "query.from"),
    ("/v1/metrics/daily", DAYS | {"from_": "2026-03-09"}, "query.from"),
    ("/v1/metrics/daily", DAYS | {"from_": "2025-02-01"}, "query.to"),
    ("/v1/metrics/daily", DAYS | {"page_size": 0}, "query.page_size"),
    ("/v1/metrics/revenue", DAYS | {"page_size": 1001}, "query.page_size"),
    ("/v1/metrics/revenue", DAYS | {"tenant": ""}, "query.tenant"),
    ("/v1/products/x", {}, "query.day"),
    ("/v1/sessions/" + "x" * 501, {}, "path.session_id"),
    ("/v1/publications", {"dataset": "clicks"}, "query.dataset"),
)


@pytest.mark.parametrize(("path", "parameters", "where"), BAD)
def test_a_wrong_parameter_is_named(down: Server, path: str, parameters: dict[str, Any], where: str) -> None:
    document = check(down.operator.get(path, **parameters), 422, "invalid-parameters")
    assert where in {error["where"] for error in document["errors"]}


@pytest.mark.servers
def test_the_longest_span_is_answered(feed: Feed, server: Server) -> None:
    span = {"from_": "2025-02-02", "to": "2026-03-08"}
    assert server.operator.get("/v1/metrics/daily", **span).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1/metrics/daily", "/v1/metrics/revenue", "/v1/publications", "/v1/status", "/readyz"]
)
def test_clickhouse_down_is_a_passing_problem(down: Server, path: str) -> None:
    answer = down.operator.get(path, **DAYS)
    document = check(answer, 503, "store-unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "127.0.0.1" not in document["detail"]
    assert down.operator.get("/healthz").status_code == 200


@contextmanager
def silent_server() -> Iterator[int]:
    """Something that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_readiness_does_not_wait_for_a_clickhouse_that_is_silent(tmp_path: Path) -> None:
    with silent_server() as port:
        settings = Settings(home=tmp_path, clickhouse=ClickHouse(port=port), api=Api(key=SecretStr(STACK_KEY)))
        server = Server(settings, query_timeout_s=4)
        with server.http:
            document = check(server.operator.get("/readyz"), 503, "store-unavailable")
    assert "did not reply within" in document["detail"]


@pytest.mark.servers
def test_a_lost_connection_is_replaced(feed: Feed, server: Server) -> None:
    store = server.app.state.context.store
    assert server.operator.get("/v1/status").status_code == 200
    with pytest.raises(Problem), store.client() as client:
        client.close()
        raise StoreUnavailable("the connection was cut")
    assert server.operator.get("/v1/status").status_code == 200
    assert store.lent == 0


def test_connections_are_bounded_and_the_next_caller_is_told_to_wait() -> None:
    made = []
    store = Store(lambda: made.append(1) or object(), limit=1, patience_s=0.05)  # type: ignore[func-returns-value, arg-type, return-value]
    answers = []

    def second() -> None:
        try:
            with store.client():
                answers.append("served")
        except Problem as problem:
            answers.append(problem.kind.name)

    with store.client():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    second()
    assert (answers, len(made)) == (["busy", "served"], 1)


def test_paths_and_methods_that_there_are_not(down: Server) -> None:
    check(down.operator.get("/v1/nothing"), 404, "not-found")
    answer = down.http.post("/v1/status", headers={"X-API-Key": STACK_KEY})
    check(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET"


def test_a_mistake_of_ours_tells_nothing_but_the_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise RuntimeError("a secret")

    server = Server(Settings(home=tmp_path, api=Api(key=SecretStr(STACK_KEY))), clickhouse=broken)
    with server.http:
        answer = server.operator.get("/v1/status")
    document = check(answer, 500, "internal")
    assert "secret" not in answer.text
    assert f"request {document['request_id']} failed" in caplog.text


def test_the_callers_request_id_is_kept_unless_it_is_odd(down: Server) -> None:
    kept = down.http.get("/healthz", headers={"X-Request-ID": "abc-1"})
    assert kept.headers["X-Request-ID"] == "abc-1"
    odd = down.http.get("/healthz", headers={"X-Request-ID": "a b\t"})
    assert re.fullmatch(r"request-\d+", odd.headers["X-Request-ID"])
