"""Catalogue metrics, funnel, retention, popular products and users, on fixtures computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from infra.clients.clickhouse import Client
from schemas.metrics import GRAIN_KEYS, METRICS
from tests.merge.store import BATCH, SPEED
from tests.serving.api.conftest import NOW, Caller, Server
from tests.serving.api.feed import Feed, at
from tests.support.clickhouse import clear

pytestmark = pytest.mark.servers
DAY = date(2026, 3, 8)
NEXT = date(2026, 3, 9)
TODAY = NOW.date()
SPAN = {"from_": str(DAY), "to": str(TODAY)}


def shop(feed: Feed) -> None:
    """Two closed days, the first of them published, and today. `a` buys, `b` looks, `c` looks and comes back."""
    feed.event(at(DAY, 9), sessionId="a1", userId="a")
    feed.event(at(DAY, 9, 1), sessionId="a1", userId="a", eventType="add_to_cart")
    feed.event(at(DAY, 9, 2), sessionId="a1", userId="a", eventType="purchase")
    feed.event(at(DAY, 10), sessionId="b1", userId="b", context=phone())
    feed.event(at(DAY, 11), sessionId="c1", userId="c", eventType="add_to_cart")
    feed.event(at(DAY, 11, 1), sessionId="c1", userId="c")
    feed.order(at(DAY, 9, 2), totalAmount=30.0)
    feed.order(at(DAY, 9, 3), totalAmount=100.0, currency="USD", paymentMethod="paypal")
    feed.event(at(NEXT, 8), sessionId="a2", userId="a")
    feed.event(at(NEXT, 8), sessionId="d1", userId="d")
    feed.event(at(NEXT, 9), sessionId="e1", userId=None)
    feed.event(at(TODAY, 11, 30), sessionId="c2", userId="c", product="sku-2")
    feed.event(at(TODAY, 11, 40), sessionId="c2", userId="c", eventType="add_to_cart", product="sku-2")
    feed.event(at(TODAY, 10, 30), sessionId="f1", userId=None, product="sku-2")
    feed.event(at(TODAY, 11, 45), sessionId="f1", userId=None, product="sku-9")
    feed.apply()
    feed.publish("events", DAY)
    feed.publish("orders", DAY)


@pytest.fixture(scope="module")
def fed(writer: Client) -> None:
    """The shop, once for all tests that only read it; those that change it come last."""
    clear(writer, SPEED + BATCH)
    shop(Feed(writer))


@pytest.fixture
def caller(fed: None, server: Server) -> Caller:
    return server.caller("acme")


def phone() -> dict[str, Any]:
    agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari/604.1"
    return {"userAgent": agent, "ip": "", "platform": "mobile_web", "referrer": None}


def values(answer: Any) -> list[tuple[str, str, float | None]]:
    assert answer.status_code == 200, answer.text
    return [(row["start"][:13], row["dimension"] or row["currency"], row["value"]) for row in answer.json()["data"]]


def test_a_metric_by_day_hour_and_in_all(caller: Caller) -> None:
    visitors = "/v1/metrics/visitors"
    assert values(caller.get(visitors, **SPAN)) == [
        ("2026-03-08T00", "", 3),
        ("2026-03-09T00", "", 3),
        ("2026-03-10T00", "", 2),
    ]
    assert values(caller.get(visitors, grain="total", **SPAN)) == [("2026-03-08T00", "", 6)]
    assert values(caller.get("/v1/metrics/page_views", from_=DAY, to=DAY, grain="hour")) == [
        ("2026-03-08T09", "", 1),
        ("2026-03-08T10", "", 1),
        ("2026-03-08T11", "", 1),
    ]
    layers = [(row["layer"], row["publication_version"] > 0) for row in caller.get(visitors, **SPAN).json()["data"]]
    assert layers == [("batch", True), ("speed", False), ("speed", False)]


def test_a_metric_by_dimension_and_currency(caller: Caller) -> None:
    by_platform = caller.get("/v1/metrics/conversion_rate", from_=DAY, to=DAY, by="platform")
    assert values(by_platform) == [("2026-03-08T00", "mobile_web", 0), ("2026-03-08T00", "web", 0.5)]
    assert values(caller.get("/v1/metrics/gross_revenue_minor", from_=DAY, to=DAY)) == [
        ("2026-03-08T00", "EUR", 3000),
        ("2026-03-08T00", "USD", 10000),
    ]
    refused = caller.get("/v1/metrics/orders", from_=DAY, to=DAY, by="country")
    assert (refused.status_code, "payment_method" in refused.json()["detail"]) == (422, True)
    assert caller.get("/v1/metrics/secrets", **SPAN).status_code == 422


def test_every_metric_of_a_day_is_that_of_the_daily_views(caller: Caller) -> None:
    daily = caller.get("/v1/metrics/daily", **SPAN).json()["data"]
    revenue = caller.get("/v1/metrics/revenue", **SPAN).json()["data"]
    names = {one["name"] for one in caller.get("/v1/metrics").json()["data"]}
    assert names == {metric.name for metric in METRICS}
    for metric in METRICS:
        rows = revenue if "currency" in GRAIN_KEYS[metric.grain] else daily
        found = caller.get(f"/v1/metrics/{metric.name}", **SPAN).json()["data"]
        assert [row["value"] for row in found] == [row[metric.name] for row in rows], metric.name


def test_pages_of_a_metric_hold_every_row_once(caller: Caller) -> None:
    whole = caller.get("/v1/metrics/page_views", grain="hour", **SPAN).json()["data"]
    paged: list[Any] = []
    cursor: dict[str, Any] = {}
    while True:
        page = caller.get("/v1/metrics/page_views", grain="hour", page_size=2, **cursor, **SPAN).json()
        paged += page["data"]
        cursor = {"cursor": page["page"]["next_cursor"]}
        if cursor["cursor"] is None:
            break
    assert paged == whole
    assert len(whole) > 4


def reached(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [step["reached"] for step in answer.json()["data"]]


def test_a_funnel_goes_in_order(caller: Caller) -> None:
    day = {"from_": DAY, "to": DAY}
    assert reached(caller.get("/v1/funnel", **day)) == [3, 1, 1]
    assert reached(caller.get("/v1/funnel", step=["add_to_cart", "page_view"], **day)) == [2, 1]
    assert reached(caller.get("/v1/funnel", step=["page_view", "page_view"], **day)) == [3, 0]
    assert reached(caller.get("/v1/funnel", window_minutes=1, **day)) == [3, 1, 0]
    assert reached(caller.get("/v1/funnel", step=["page_view", "page_view"], entity="visitor", **SPAN)) == [6, 3]
    answer = caller.get("/v1/funnel", **day).json()
    assert [step["from_previous"] for step in answer["data"]] == [1.0, 1 / 3, 1.0]
    assert (answer["layer"], answer["late_groups"]) == ("batch", 0)
    assert caller.get("/v1/funnel", step=["page_view"], **day).status_code == 422


def test_retention_is_by_when_a_user_was_first_seen(caller: Caller) -> None:
    rows = caller.get("/v1/retention", **SPAN).json()["data"]
    assert [(row["cohort"], row["period"], row["users"], row["complete"]) for row in rows] == [
        ("2026-03-08", 0, 3, True),
        ("2026-03-08", 1, 1, True),
        ("2026-03-08", 2, 1, False),
        ("2026-03-09", 0, 1, True),
    ]
    assert rows[1]["share"] == 1 / 3
    later = caller.get("/v1/retention", from_=NEXT, to=TODAY).json()["data"]
    assert [(row["cohort"], row["users"]) for row in later] == [("2026-03-09", 1)]
    weeks = caller.get("/v1/retention", period="week", **SPAN).json()["data"]
    assert [(row["cohort"], row["period"], row["users"]) for row in weeks] == [
        ("2026-03-02", 0, 3),
        ("2026-03-02", 1, 2),
        ("2026-03-09", 0, 1),
    ]


def test_popular_products_with_what_they_were_before(caller: Caller) -> None:
    rows = caller.get("/v1/products/popular", minutes=60).json()["data"]
    assert [(row["product_id"], row["views"], row["previous"], row["rank"]) for row in rows] == [
        ("sku-2", 1, 1, 1),
        ("sku-9", 1, 0, 2),
    ]
    (carts,) = caller.get("/v1/products/popular", by="add_to_carts").json()["data"]
    assert (carts["product_id"], carts["add_to_carts"], carts["previous"]) == ("sku-2", 1, 0)
    assert caller.get("/v1/products/popular", minutes=1).json()["data"] == []


def test_a_users_sessions_latest_first(caller: Caller) -> None:
    rows = caller.get("/v1/users/a/sessions").json()["data"]
    assert [row["session_id"] for row in rows] == ["a2", "a1"]
    assert caller.get("/v1/users/nobody/sessions").json()["data"] == []


def test_closed_days_have_an_etag_until_they_change(feed: Feed, server: Server) -> None:
    shop(feed)
    caller = server.caller("acme")

    def ask(path: str, etag: str = "", **days: Any) -> Any:
        names = {"from": days.get("first", DAY), "to": days.get("last", DAY)}
        headers = {"X-API-Key": caller.token, "If-None-Match": etag}
        return caller.http.get(path, params=names, headers=headers)

    paths = ("/v1/metrics/daily", "/v1/metrics/visitors", "/v1/funnel", "/v1/retention", "/v1/sessions/a1")
    etags = {path: ask(path).headers["ETag"] for path in paths}
    for path, etag in etags.items():
        again = ask(path, f'W/"x", {etag}')
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert "ETag" not in ask("/v1/metrics/daily", last=TODAY).headers
    feed.event(at(DAY, 9, 3), appended=at(TODAY, 12), sessionId="a1", userId="a")
    feed.apply()
    for path in paths:
        changed = ask(path, etags[path])
        assert changed.status_code == 200, path


def test_a_hole_is_an_error_everywhere(feed: Feed, server: Server) -> None:
    shop(feed)
    caller = server.caller("acme")
    # The first day was published below this offset, so what lies beyond its cut is in neither layer.
    feed.lose("events", 15, DAY + timedelta(days=2))
    ask: dict[str, Callable[[], Any]] = {
        "metric": lambda: caller.get("/v1/metrics/visitors", **SPAN),
        "funnel": lambda: caller.get("/v1/funnel", **SPAN),
        "retention": lambda: caller.get("/v1/retention", **SPAN),
        "popular": lambda: caller.get("/v1/products/popular"),
    }
    for name, asked in ask.items():
        answer = asked()
        assert (answer.status_code, answer.json().get("type")) == (409, "urn:rivermeet:problem:incomplete"), name
