from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from infra.clients.clickhouse import Client, insert
from tests.serving.api.conftest import NOW, Server
from tests.serving.api.feed import Feed

pytestmark = pytest.mark.servers


def raise_alert(client: Client, number: int, tenant: str = "acme", severity: str = "warning") -> None:
    end = NOW - timedelta(minutes=number)
    row = {
        "day": end.date(),
        "alert_id": f"a{number}",
        "tenant_id": tenant,
        "rule": "rapid_clicks",
        "severity": severity,
        "entity": "s1",
        "session_id": "s1",
        "window_start": end - timedelta(seconds=1),
        "window_end": end,
        "observed": 12.0,
        "threshold": 10.0,
        "log_topic": "user-events",
        "log_epoch": 1,
        "log_partition": 0,
        "as_of": number,
        "message": "Clicks too fast.",
    }
    times = dict.fromkeys(("window_start", "window_end"), pl.Datetime("ms", "UTC"))
    insert(client, "speed_alerts", pl.DataFrame([row], schema_overrides=times))


def test_alerts_come_latest_first_and_of_the_keys_tenant(feed: Feed, server: Server) -> None:
    feed.client.command("TRUNCATE TABLE speed_alerts")
    for number in range(3):
        raise_alert(feed.client, number, severity="critical" if number == 1 else "warning")
    raise_alert(feed.client, 9, tenant="other")
    caller = server.caller("acme")
    rows = caller.get("/v1/alerts").json()["data"]
    assert [row["alert_id"] for row in rows] == ["a0", "a1", "a2"]
    assert [row["alert_id"] for row in caller.get("/v1/alerts", severity="critical").json()["data"]] == ["a1"]
    assert caller.get("/v1/alerts", rule="other").json()["data"] == []
    first = caller.get("/v1/alerts", page_size=2).json()
    (last,) = caller.get("/v1/alerts", page_size=2, cursor=first["page"]["next_cursor"]).json()["data"]
    assert last["alert_id"] == "a2"
    shown = caller.get("/v1/overview").json()["alerts"]
    assert [alert["alert_id"] for alert in shown] == ["a0", "a1", "a2"]
