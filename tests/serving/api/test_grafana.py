"""The provisioned dashboards: every query runs as the analyst, every metric is one that the API exports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from infra.clients.clickhouse import connect
from infra.settings import ROOT
from tests.serving.api.conftest import Server, clickhouse_settings
from tests.serving.api.feed import Feed
from tests.support.clickhouse import Endpoint

FOLDER = ROOT / "infra" / "monitoring" / "grafana"
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))}
_METRIC = re.compile(r"\brivermeet_\w+")


def targets(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for board in BOARDS.values():
        for panel in board["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["type"] == kind:
                    yield panel["title"], target


def filled(sql: str) -> str:
    """As Grafana's plugin fills its macros and variables."""
    macros = {"$__fromTime": "toDateTime(1772000000)", "$__toTime": "toDateTime(1774000000)", "$tenant": "acme"}
    for name, value in macros.items():
        sql = sql.replace(name, value)
    return sql


@pytest.mark.servers
def test_every_query_runs_as_the_analyst(owner: Endpoint, feed: Feed) -> None:
    client = connect(clickhouse_settings(owner), "analyst")
    queries = [target["rawSql"] for _, target in targets("grafana-clickhouse-datasource")]
    queries += [one["query"] for board in BOARDS.values() for one in board["templating"]["list"]]
    assert len(queries) > 10
    for sql in queries:
        client.query_arrow(filled(sql))
    client.close()


def test_every_metric_is_exported(down: Server) -> None:
    down.http.get("/healthz")
    exported = set(re.findall(r"^# TYPE (\w+) \w+", down.http.get("/metrics").text, re.MULTILINE))
    named = {name for _, target in targets("prometheus") for name in _METRIC.findall(target["expr"])}
    assert len(named) >= 4
    assert {re.sub(r"_bucket$", "", name) for name in named} <= exported


def test_sources_and_panels_fit_together() -> None:
    sources = yaml.safe_load((FOLDER / "provisioning" / "datasources" / "rivermeet.yaml").read_text())["datasources"]
    known = {source["uid"]: source["type"] for source in sources}
    for name, board in BOARDS.items():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids), name
        for panel in board["panels"]:
            for used in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
                assert known[used["uid"]] == used["type"], (name, panel["title"])
