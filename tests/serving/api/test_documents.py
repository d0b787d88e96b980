from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.metrics import METRICS
from schemas.sessions import SESSION_COLUMNS
from serving.api.columns import columns_of
from serving.api.problems import KINDS
from tests.serving.api.conftest import Server


class Links(HTMLParser):
    """The tags of a page, and everything that they point to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.targets += [value or "" for name, value in attrs if name in ("href", "src")]
        self.ids |= {value or "" for name, value in attrs if name == "id"}


def test_the_page_needs_no_other_host_and_leads_nowhere_wrong(down: Server) -> None:
    answer = down.http.get("/docs")
    links = Links()
    links.feed(answer.text)
    assert "script" not in links.tags
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert {target for target in links.targets if not target.startswith("#")} == {"/openapi.json"}
    assert {target[1:] for target in links.targets if target.startswith("#")} <= links.ids
    assert {kind.name for kind in KINDS} <= links.ids


@pytest.fixture
def document(down: Server) -> Any:
    return down.http.get("/openapi.json").json()


def test_every_reference_leads_somewhere(document: Any) -> None:
    names = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert names <= document["components"]["schemas"].keys()


def test_every_path_says_what_can_go_wrong(document: Any) -> None:
    for path, methods in document["paths"].items():
        (operation,) = methods.values()
        if path.startswith("/v1/"):
            assert {"200", "401", "403", "429", "503"} <= operation["responses"].keys(), path
            assert operation["security"]


def test_every_metric_is_described_once_from_the_catalogue(document: Any) -> None:
    schemas = document["components"]["schemas"]
    rows = schemas["DailyMetrics"]["properties"] | schemas["DailyRevenue"]["properties"]
    for metric in METRICS:
        assert metric.meaning in rows[metric.name]["description"]
        assert metric.unit in rows[metric.name]["description"]


def test_rows_have_an_example_with_every_field(document: Any) -> None:
    for name in ("DailyMetrics", "DailyRevenue", "Session", "ProductDay", "Publication"):
        schema = document["components"]["schemas"][name]
        (example,) = schema["examples"]
        assert example.keys() == schema["properties"].keys()
        assert None not in example.values()


def test_columns_are_read_from_the_tables_definition() -> None:
    columns = columns_of("batch_sessions")
    assert SESSION_COLUMNS.keys() <= columns.keys()
    assert columns["user_id"].type == str | None
    assert (columns["converted"].type, columns["duration_ms"].meaning) == (bool, "End less start, milliseconds")


def test_prometheus_counts_by_route_and_never_by_id(down: Server) -> None:
    # Counters are those of the process: what other tests asked shows once this server has counted the same.
    ask(down)
    before = requests(down)
    ask(down)
    after = requests(down)
    known, unknown = ("GET", "/v1/sessions/{session_id}", "422"), ("GET", "none", "404")
    assert (after[known] - before[known], after[unknown] - before[unknown]) == (1, 1)
    assert "secret-session" not in down.http.get("/metrics").text


def ask(server: Server) -> None:
    """One question that is wrong, and one that nobody answers, both with an id."""
    server.operator.get("/v1/sessions/secret-session", from_="x")
    server.http.get("/nowhere/secret-session")


def requests(server: Server) -> Counter[tuple[str, ...]]:
    """How many requests were answered, by method, route and status."""
    [found] = [
        family
        for family in text_string_to_metric_families(server.http.get("/metrics").text)
        if family.name == "rivermeet_api_requests"
    ]
    counted: Counter[tuple[str, ...]] = Counter()
    for sample in found.samples:
        if sample.name.endswith("_total"):
            counted[sample.labels["method"], sample.labels["route"], sample.labels["status"]] += int(sample.value)
    return counted
