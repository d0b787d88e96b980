"""Queries in the shapes that dashboards and the project itself send, and the project's own tables and views."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from infra.clients.clickhouse import migrate
from schemas.tables import clickhouse_migrations
from serving.merged import ANALYST, statements
from tests.support.clickhouse import Endpoint

pytestmark = pytest.mark.servers


def test_grafana_queries(http: httpx.Client, table: str) -> None:
    http.post("/", content=f"INSERT INTO {table} SELECT number, 'w' FROM numbers(100)")
    sql = (
        f"SELECT toStartOfInterval(toDateTime(n), INTERVAL 60 second) AS time, word, count() AS value FROM {table}"
        " WHERE n >= 0 AND n <= 1000 GROUP BY time, word ORDER BY time ASC FORMAT JSON"
    )

    answer = http.get("/", params={"query": sql, "max_execution_time": "60", "add_http_cors_header": "1"})

    assert answer.json()["rows"] == 2
    assert [row["value"] for row in answer.json()["data"]] == ["60", "40"] or [
        row["value"] for row in answer.json()["data"]
    ] == [60, 40]
    health = http.get("/", params={"query": "SELECT 1 FORMAT JSON", "readonly": "2"})
    assert health.json()["rows"] == 1


def test_superset_queries(client: Any, table: str) -> None:
    client.command(f"INSERT INTO {table} VALUES (1, 'a')")
    sql = (
        f"/* superset */ SELECT DATE_TRUNC('day', toDateTime(n)) AS __timestamp, count(*) AS `COUNT(*)`"
        f" FROM (SELECT * FROM rivermeet.{table}) AS virtual_table WHERE word IN ('a', 'b')"
        " GROUP BY DATE_TRUNC('day', toDateTime(n)) ORDER BY `COUNT(*)` DESC\nLIMIT 50000"
    )

    assert client.query(sql).column_names == ("__timestamp", "COUNT(*)")


def test_metadata_queries(client: Any, table: str) -> None:
    assert (table,) in client.query("SELECT table_name FROM information_schema.tables").result_rows
    assert client.query(
        "SELECT name, type FROM system.columns WHERE table = {t:String}", parameters={"t": table}
    ).row_count
    assert client.query("SELECT count() FROM system.parts WHERE table = {t:String}", parameters={"t": table}).row_count
    assert client.query("SELECT name FROM system.functions LIMIT 1").row_count == 1


def test_the_projects_tables_and_views_can_be_made_and_read(endpoint: Endpoint, client: Any) -> None:
    migrate(client, clickhouse_migrations(), statements())
    analyst = endpoint.client("analyst")

    for view in ANALYST:
        assert analyst.query(f"SELECT * FROM {view} LIMIT 1").result_rows == []
    for view in ANALYST:
        client.command(f"DROP VIEW {view}")
    analyst.close()
