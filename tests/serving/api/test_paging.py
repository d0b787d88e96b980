from __future__ import annotations

import base64
import json
from datetime import date, timedelta
from typing import Any

import pytest

from tests.serving.api.conftest import Caller, Server
from tests.serving.api.feed import Feed, at

pytestmark = pytest.mark.servers
DAY = date(2026, 3, 8)
SPAN = {"from_": DAY - timedelta(days=3), "to": DAY}


def pages(caller: Caller, path: str, **parameters: Any) -> list[list[Any]]:
    found: list[list[Any]] = []
    cursor: dict[str, str] = {}
    while True:
        document = caller.get(path, **parameters, **cursor).json()
        found.append(document["data"])
        assert document["page"]["size"] == len(document["data"])
        if document["page"]["next_cursor"] is None:
            return found
        cursor = {"cursor": document["page"]["next_cursor"]}


@pytest.fixture
def days(feed: Feed) -> Feed:
    for ago in (2, 1, 0):
        for tenant in ("acme", "other"):
            feed.event(at(DAY - timedelta(days=ago)), tenantId=tenant, sessionId="s")
    feed.apply()
    return feed


def test_pages_hold_every_row_once_and_in_order(days: Feed, server: Server) -> None:
    found = pages(server.operator, "/v1/metrics/daily", page_size=4, **SPAN)
    assert [len(page) for page in found] == [4, 2]
    keys = [(row["day"], row["tenant_id"]) for page in found for row in page]
    assert keys == sorted(keys)
    assert len(set(keys)) == 6


def test_sessions_page_by_their_start(days: Feed, server: Server) -> None:
    found = pages(server.operator, "/v1/sessions/s", page_size=5, **SPAN)
    starts = [(row["session_start"], row["tenant_id"]) for page in found for row in page]
    assert (len(set(starts)), starts) == (6, sorted(starts))


def test_publications_page_from_the_latest(days: Feed, server: Server) -> None:
    for _ in range(3):
        days.publish("events", DAY - timedelta(days=1), DAY)
    found = pages(server.operator, "/v1/publications", page_size=4)
    keys = [(row["sequence"], row["day"]) for page in found for row in page]
    assert (len(set(keys)), keys) == (6, sorted(keys, reverse=True))


def test_pages_of_two_publications_are_never_mixed(days: Feed, server: Server) -> None:
    first = server.operator.get("/v1/metrics/daily", page_size=4, **SPAN).json()
    days.publish("events", DAY)
    answer = server.operator.get("/v1/metrics/daily", page_size=4, cursor=first["page"]["next_cursor"], **SPAN)
    assert (answer.status_code, answer.json()["type"]) == (410, "urn:rivermeet:problem:page-expired")


def test_a_cursor_belongs_to_its_query(days: Feed, server: Server) -> None:
    cursor = server.operator.get("/v1/metrics/daily", page_size=4, **SPAN).json()["page"]["next_cursor"]
    other = server.operator.get("/v1/metrics/daily", page_size=4, cursor=cursor, from_=DAY, to=DAY)
    assert (other.status_code, other.json()["errors"][0]["where"]) == (422, "query.cursor")


FORGED: list[Any] = [["2026-03-08"], ["x", "acme"], ["9999-01-01", "acme"], ["2026-03-08", 1], [None, None], "acme"]


def test_a_forged_cursor_is_refused(days: Feed, server: Server) -> None:
    cursor = server.operator.get("/v1/metrics/daily", page_size=4, **SPAN).json()["page"]["next_cursor"]
    whole = json.loads(base64.urlsafe_b64decode(cursor))
    forged = [base64.urlsafe_b64encode(json.dumps(whole | {"after": after}).encode()).decode() for after in FORGED]
    for text in (*forged, "", "%%%", "ä", cursor[:-3]):
        answer = server.operator.get("/v1/metrics/daily", page_size=4, cursor=text, **SPAN)
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "query.cursor")
