"""What neither layer can answer is a problem that names the remedy, whoever asks and however."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from infra.clients.clickhouse import Client
from serving.api.days import Days
from serving.api.problems import Problem
from serving.api.provenance import consistent
from serving.api.store import Store
from tests.serving.api.conftest import NOW, Server
from tests.serving.api.feed import Feed, at

pytestmark = pytest.mark.servers
DAY = date(2026, 3, 8)
BEFORE = DAY - timedelta(days=60)

QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/metrics/daily", {"from_": DAY, "to": DAY}),
    ("/v1/sessions/s1", {"from_": DAY, "to": DAY}),
    ("/v1/sessions/unknown", {}),
    ("/v1/products/sku-1", {"day": DAY}),
)


@pytest.mark.parametrize("tenant", ["acme", "*"])
def test_a_hole_is_a_problem_and_never_a_smaller_number(feed: Feed, server: Server, tenant: str) -> None:
    feed.event(at(DAY))
    feed.apply()
    feed.lose("events", 40, DAY)
    caller = server.caller(tenant)
    for path, parameters in QUESTIONS:
        answer = caller.get(path, **parameters)
        document = answer.json()
        assert (answer.status_code, document["type"]) == (409, "urn:rivermeet:problem:incomplete"), path
        assert document["detail"].startswith("INCOMPLETE: events of ")
        assert "rivermeet batch run --day 2026-" in document["detail"]
        assert "2026-03-08" in {hole["day"] for hole in document["holes"]}
    assert "2026-03-08" in {hole["day"] for hole in server.operator.get("/v1/status").json()["holes"]}


def test_other_days_and_the_other_dataset_are_answered(feed: Feed, server: Server) -> None:
    feed.order(at(DAY))
    feed.apply()
    feed.lose("events", 40, DAY)
    caller = server.caller("acme")
    assert caller.get("/v1/metrics/daily", from_=BEFORE, to=BEFORE).status_code == 200
    assert caller.get("/v1/metrics/revenue", from_=DAY, to=DAY).status_code == 200


def test_a_publication_past_the_hole_closes_it(feed: Feed, server: Server) -> None:
    for minute in range(3):
        feed.event(at(DAY, 12, minute))
    feed.apply()
    feed.lose("events", 2, DAY)
    caller = server.caller("acme")
    assert caller.get("/v1/metrics/daily", from_=DAY, to=DAY).status_code == 409
    feed.publish("events", DAY - timedelta(days=1), DAY)
    answer = caller.get("/v1/metrics/daily", from_=DAY, to=DAY)
    assert (answer.status_code, answer.json()["data"][0]["page_views"]) == (200, 3)


def test_rows_are_read_again_when_days_are_published_meanwhile(feed: Feed, server: Server) -> None:
    feed.event(at(DAY))
    feed.apply()
    reads: list[int] = []

    def read(_client: Client) -> list[dict[str, Any]]:
        reads.append(len(reads))
        if len(reads) == 1:
            feed.publish("events", DAY)
        return []

    _, observed, origin = consistent(_store(server), lambda: NOW, "events", Days(DAY, DAY), read)
    assert (len(reads), observed.sequence, origin.publication_sequence) == (2, 1, 1)


def test_a_hole_that_opens_while_rows_are_read_is_seen(feed: Feed, server: Server) -> None:
    def read(_client: Client) -> list[dict[str, Any]]:
        feed.lose("events", 40, DAY)
        return []

    with pytest.raises(Problem, match="INCOMPLETE"):
        consistent(_store(server), lambda: NOW, "events", Days(DAY, DAY), read)


def test_days_that_never_come_to_rest_are_a_passing_problem(feed: Feed, server: Server) -> None:
    feed.event(at(DAY))
    feed.apply()

    def read(_client: Client) -> list[dict[str, Any]]:
        feed.publish("events", DAY)
        return []

    with pytest.raises(Problem, match="ask again") as caught:
        consistent(_store(server), lambda: NOW, "events", Days(DAY, DAY), read)
    assert caught.value.kind.retry_after


def _store(server: Server) -> Store:
    store: Store = server.app.state.context.store
    return store
