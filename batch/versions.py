"""Versions of days in ClickHouse that no reader can get any more, and how they go."""

from __future__ import annotations

import re
from datetime import date, datetime

import polars as pl

from infra.clients.clickhouse import Client, select
from schemas.frames import TIMESTAMP
from schemas.tables import clickhouse_migrations

_VERSIONED = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+).*PARTITION BY \(day, version\)", re.DOTALL)


def versioned_tables() -> tuple[str, ...]:
    """The tables of which a publication selects a version, by their definitions."""
    found = (_VERSIONED.search(migration.sql) for migration in clickhouse_migrations())
    return tuple(match[1] for match in found if match)


def drop_versions(client: Client, before: datetime) -> dict[str, int]:
    """Drops what was replaced, or loaded and never published, before a time; answers how many of which table.

    The version that readers get of a day stays whatever its age, and so does the one that it took the place of, to
    which a day can be pointed back.
    """
    kept = _kept(client, before)
    return {table: _drop(client, table, kept, before) for table in versioned_tables()}


def _kept(client: Client, before: datetime) -> set[tuple[date, int]]:
    columns = {"dataset": pl.String(), "day": pl.Date(), "version": pl.Int64(), "published_at": TIMESTAMP}
    newest_first = "ORDER BY dataset, day, sequence DESC, version DESC"
    published = select(client, f"SELECT {', '.join(columns)} FROM batch_publications {newest_first}", columns)
    place = pl.int_range(pl.len()).over("dataset", "day")
    replaced = pl.col("published_at").shift(1).over("dataset", "day")
    used = published.with_columns(place=place, replaced=replaced).filter(
        (pl.col("place") <= 1) | (pl.col("replaced") >= before)
    )
    return set(used.select("day", "version").iter_rows())


def _drop(client: Client, table: str, kept: set[tuple[date, int]], before: datetime) -> int:
    sql = (
        "SELECT partition_id, any(partition) AS name, max(modification_time) AS changed FROM system.parts"
        " WHERE database = currentDatabase() AND table = %(table)s AND active GROUP BY partition_id"
    )
    columns = {"partition_id": pl.String(), "name": pl.String(), "changed": TIMESTAMP}
    dropped = 0
    for partition, name, changed in select(client, sql, columns, {"table": table}).iter_rows():
        if changed < before and _day_and_version(name) not in kept:
            client.command(f"ALTER TABLE {table} DROP PARTITION ID '{partition}'")
            dropped += 1
    return dropped


def _day_and_version(name: str) -> tuple[date, int]:
    """The key of a partition, which the engine shows as ('2026-03-02',131072)."""
    day, version = name.strip("()").split(",")
    return date.fromisoformat(day.strip("'")), int(version)
