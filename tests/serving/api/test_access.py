from __future__ import annotations

from datetime import date, timedelta

import pytest

from serving import keys
from tests.serving.api.conftest import STACK_KEY, Server
from tests.serving.api.feed import Feed, at

pytestmark = pytest.mark.servers
DAY = date(2026, 3, 8)
CLOSED = (
    "/v1/metrics/daily",
    "/v1/metrics/revenue",
    "/v1/sessions/x",
    "/v1/products/x",
    "/v1/publications",
    "/v1/status",
)
OPEN = ("/healthz", "/readyz", "/docs", "/openapi.json", "/metrics")


@pytest.fixture
def two_tenants(feed: Feed) -> Feed:
    for tenant in ("acme", "other"):
        feed.event(at(DAY), sessionId="same", tenantId=tenant, userId=f"user-of-{tenant}")
        feed.order(at(DAY), tenantId=tenant)
    feed.apply()
    return feed


QUESTIONS = (
    f"/v1/metrics/daily?from={DAY}&to={DAY}",
    f"/v1/metrics/revenue?from={DAY}&to={DAY}",
    "/v1/sessions/same?",
    f"/v1/products/sku-1?day={DAY}",
)


def test_a_key_of_a_tenant_never_reads_another(two_tenants: Feed, server: Server) -> None:
    caller = server.caller("acme")
    for question in QUESTIONS:
        answer = caller.http.get(question, headers={"X-API-Key": caller.token})
        assert {row["tenant_id"] for row in answer.json()["data"]} == {"acme"}
        refused = caller.http.get(f"{question}&tenant=other", headers={"X-API-Key": caller.token})
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:rivermeet:problem:forbidden")


def test_a_cursor_of_one_tenant_is_of_no_use_to_another(two_tenants: Feed, server: Server) -> None:
    every = {"from_": DAY, "to": DAY, "page_size": 1}
    cursor = server.operator.get("/v1/metrics/daily", **every).json()["page"]["next_cursor"]
    assert server.caller("acme").get("/v1/metrics/daily", cursor=cursor, **every).status_code == 422


def test_a_key_of_all_tenants_may_choose(two_tenants: Feed, server: Server) -> None:
    caller = server.caller(keys.ALL_TENANTS)
    every = caller.get("/v1/metrics/daily", from_=DAY, to=DAY).json()["data"]
    assert [row["tenant_id"] for row in every] == ["acme", "other"]
    one = caller.get("/v1/metrics/daily", from_=DAY, to=DAY, tenant="other").json()["data"]
    assert [row["tenant_id"] for row in one] == ["other"]


def test_status_counts_every_tenant_and_is_for_operators(server: Server) -> None:
    assert server.caller("acme").get("/v1/status").status_code == 403
    assert server.caller(keys.ALL_TENANTS).get("/v1/status").status_code == 200


@pytest.mark.parametrize("path", CLOSED)
def test_without_a_valid_key_there_is_nothing(server: Server, path: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"X-API-Key": "rm_00_wrong"},
        {"Authorization": "Basic eDp5"},
    ):
        answer = server.http.get(path, headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.json()["type"] == "urn:rivermeet:problem:unauthenticated"


@pytest.mark.parametrize("path", OPEN)
def test_what_needs_no_key(server: Server, path: str) -> None:
    assert server.http.get(path).status_code == 200


def test_expired_and_revoked_keys_open_nothing_at_once(server: Server) -> None:
    short = server.caller("acme", lifetime=timedelta(hours=1))
    assert short.get("/v1/publications").status_code == 200
    server.now += timedelta(hours=1)
    assert short.get("/v1/publications").status_code == 401
    lasting = server.caller("acme")
    assert lasting.get("/v1/publications").status_code == 200
    server.keep({key_id: keys.revoke(server.made, key_id, server.now)[key_id] for key_id in server.made})
    assert lasting.get("/v1/publications").status_code == 401


def test_an_unreadable_keys_file_opens_nothing(server: Server) -> None:
    caller = server.caller("acme")
    server.settings.api_keys_file.write_text("{")
    answer = caller.get("/v1/publications")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:rivermeet:problem:internal")


def test_no_secret_is_kept_or_shown(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    caller = server.caller("acme")
    caller.get("/v1/publications")
    server.operator.get("/v1/publications")
    secret = caller.token.rpartition("_")[2]
    assert secret not in server.settings.api_keys_file.read_text()
    assert secret not in caplog.text
    assert STACK_KEY not in caplog.text
