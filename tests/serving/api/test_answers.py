from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from schemas.metrics import of_grain
from tests.serving.api.conftest import NOW, Server
from tests.serving.api.feed import Feed, at

pytestmark = pytest.mark.servers
DAY = date(2026, 3, 8)
NEXT = DAY + timedelta(days=1)


def shop(feed: Feed) -> None:
    feed.event(at(DAY))
    feed.event(at(DAY, 12, 5), eventType="purchase")
    feed.event(at(DAY, 13), sessionId="s2", userId="u2", tenantId="other")
    feed.order(at(DAY))
    feed.order(at(DAY), currency="JPY", totalAmount=500.0)
    feed.order(at(DAY), status="refunded", totalAmount=2.5)
    feed.apply()


def only(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["data"]
    return row


def test_an_open_day_comes_from_the_speed_layer(feed: Feed, server: Server) -> None:
    shop(feed)
    answer = server.caller("acme").get("/v1/metrics/daily", from_=DAY, to=DAY)
    row = only(answer)
    assert (row["layer"], row["publication_version"], row["late_groups"]) == ("speed", 0, 0)
    assert (row["sessions"], row["page_views"], row["conversions"], row["conversion_rate"]) == (1, 1, 1, 1.0)
    assert {metric.name for metric in of_grain("daily_metrics")} < row.keys()
    origin = answer.json()["provenance"]
    assert origin["publication_sequence"] == 0
    assert origin["applied_until"] == "2026-03-08T13:00:00Z"
    assert origin["speed_lag_seconds"] == (NOW - at(DAY, 13)).total_seconds()


def test_a_published_day_comes_from_the_batch_layer_until_a_late_group(feed: Feed, server: Server) -> None:
    shop(feed)
    feed.publish("events", DAY)
    caller = server.caller("acme")
    row = only(caller.get("/v1/metrics/daily", from_=DAY, to=DAY))
    assert (row["layer"], row["publication_version"] > 0, row["sessions"]) == ("batch", True, 1)

    feed.event(at(DAY, 15), appended=at(NEXT, 9), userId="u3")
    feed.apply()
    late = only(caller.get("/v1/metrics/daily", from_=DAY, to=DAY))
    assert (late["layer"], late["late_groups"], late["sessions"], late["active_users"]) == ("merged", 1, 2, 2)
    assert late["publication_version"] == row["publication_version"]


def test_revenue_is_never_added_over_currencies(feed: Feed, server: Server) -> None:
    shop(feed)
    answer = server.caller("acme").get("/v1/metrics/revenue", from_=DAY, to=DAY).json()
    found = {row["currency"]: (row["gross_revenue_minor"], row["net_revenue_minor"]) for row in answer["data"]}
    assert found == {"EUR": (1000, 750), "JPY": (500, 500)}
    assert answer["provenance"]["dataset"] == "orders"


def test_the_sessions_of_an_id(feed: Feed, server: Server) -> None:
    shop(feed)
    feed.event(at(DAY, 18))
    feed.apply()
    caller = server.caller("acme")
    rows = caller.get("/v1/sessions/s1").json()["data"]
    assert [row["session_start"] for row in rows] == ["2026-03-08T12:00:00Z", "2026-03-08T18:00:00Z"]
    assert (rows[0]["duration_ms"], rows[0]["converted"], rows[1]["converted"]) == (300_000, True, False)
    assert caller.get("/v1/sessions/s1", from_=NEXT).status_code == 404


def test_the_counters_of_a_product(feed: Feed, server: Server) -> None:
    shop(feed)
    caller = server.caller("acme")
    row = only(caller.get("/v1/products/sku-1", day=DAY))
    assert (row["views"], row["purchases"], row["layer"]) == (1, 1, "speed")
    missing = caller.get("/v1/products/sku-2", day=DAY)
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:rivermeet:problem:not-found")


@pytest.mark.parametrize("name", ["a b'\\;--ä", "a/b/", "{x:String}", "%s", "a\x00b", "\t\\N"])
def test_a_path_may_hold_any_id(feed: Feed, server: Server, name: str) -> None:
    feed.event(at(DAY), sessionId=name, product=name)
    feed.apply()
    caller = server.caller("acme")
    assert only(caller.get(f"/v1/sessions/{quote(name, safe='')}"))["session_id"] == name
    assert only(caller.get(f"/v1/products/{quote(name, safe='')}", day=DAY))["product_id"] == name


def test_the_history_of_publications(feed: Feed, server: Server) -> None:
    shop(feed)
    feed.publish("events", DAY)
    feed.publish("events", DAY)
    rows = server.operator.get("/v1/publications").json()["data"]
    assert [(row["sequence"], row["current"]) for row in rows] == [(2, True), (1, False)]
    assert (rows[0]["cut"], rows[0]["snapshot_id"]) == ({"0": 3}, str(2**62 + 2))
    assert len(server.operator.get("/v1/publications", current=True).json()["data"]) == 1
    assert server.operator.get("/v1/publications", dataset="orders").json()["data"] == []
    assert server.caller("acme").get("/v1/publications").json()["data"][0]["cut"] is None


def test_the_status_of_both_layers(feed: Feed, server: Server) -> None:
    shop(feed)
    feed.publish("orders", DAY)
    document = server.operator.get("/v1/status").json()
    parts = {part["topic"]: part for part in document["partitions"]}
    assert (parts["user-events"]["applied"], parts["transactions"]["applied"]) == (3, 3)
    assert parts["user-events"]["lag_seconds"] == (NOW - at(DAY, 13)).total_seconds()
    (orders,) = document["published"]
    assert (orders["dataset"], orders["days"], orders["publications"]) == ("orders", 1, 1)
    assert document["holes"] == []


def test_nothing_applied_is_said(feed: Feed, server: Server) -> None:
    origin = server.operator.get("/v1/metrics/daily", from_=DAY, to=DAY).json()["provenance"]
    assert (origin["applied_until"], origin["speed_lag_seconds"]) == (None, None)
