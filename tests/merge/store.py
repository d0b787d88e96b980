"""The ClickHouse engine in this process, with the project's tables and views."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import clickhouse_connect
import polars as pl

from infra.clickhouse.access import READING
from infra.clickhouse.settings import set_statement
from infra.clients.clickhouse import Client, migrate
from schemas.tables import clickhouse_migrations
from serving.merged import statements
from streams.writes import BEGINNINGS, DERIVED, FACTS, PROGRESS, SESSIONS
from tests.support.clickhouse import clear

SPEED = (*FACTS, SESSIONS, *DERIVED, PROGRESS, BEGINNINGS)
BATCH = (
    "batch_events",
    "batch_sessions",
    "batch_products",
    "batch_orders",
    "batch_publications",
    "batch_landings",
    "batch_selections",
    "batch_rollup",
    "batch_rollup_sessions",
    "batch_rollup_members",
    "batch_session_groups",
)


class HoleError(Exception):
    """The answer names a hole instead of giving a number."""


class Store:
    """Tables, emptied between examples, and the answers of the views."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def clear(self, tables: tuple[str, ...] = SPEED + BATCH) -> None:
        clear(self.client, tables)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query; raises `HoleError` when the answer is that there is a hole."""
        try:
            table = self.client.query_arrow(sql)
        except Exception as error:
            self._drain()
            if "INCOMPLETE" in str(error):
                raise HoleError(str(error)[:300]) from error
            raise
        return cast("pl.DataFrame", pl.from_arrow(table)).to_dicts() if table.num_columns else []

    def _drain(self) -> None:
        """The engine in this process leaves the unread part of a failed query in front of the next one's result."""
        with suppress(Exception):
            self.client.query_arrow("SELECT 1")


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    client = clickhouse_connect.get_client(interface="chdb", path=str(folder))
    client.command("CREATE DATABASE IF NOT EXISTS rivermeet")
    client.command("USE rivermeet")
    migrate(cast("Client", client), clickhouse_migrations(), statements())
    client.command(set_statement(READING))
    yield Store(cast("Client", client))
    client.close()
