"""After a change of the session rules: the hot horizon is derived again, so that no old row stands beside a new one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from infra.clients.clickhouse import Client, insert, select
from schemas.frames import EVENT_COLUMNS
from schemas.lateness import Horizon
from schemas.sessions import SessionRules
from streams import sessions
from streams.restore import History
from streams.sessions import STATE_COLUMNS, SessionMemory

log = logging.getLogger(__name__)

GROUPS_AT_ONCE = 100_000

_ANY = "SELECT 1 AS one FROM speed_sessions WHERE definition != %(definition)s LIMIT 1"
"""Reads one small column; what it finds may have been replaced already."""
_OLD = """
SELECT log_epoch, log_partition, uniqExact(tenant_id, session_id) AS groups FROM speed_sessions FINAL
WHERE definition != %(definition)s GROUP BY log_epoch, log_partition ORDER BY log_epoch, log_partition
"""
_OLD_COLUMNS: dict[str, pl.DataType] = {"log_epoch": pl.Int32(), "log_partition": pl.Int32(), "groups": pl.Int64()}


def derive_again(client: Client, rules: SessionRules, horizon: Horizon, applied: Mapping[tuple[int, int], int]) -> int:
    """Writes the rows of all groups that have a row by other rules; answers how many rows were written.

    `applied`: (epoch, partition) -> the offset below which all is applied; what lies past it is applied anew. A new row
    has the old one's `as_of` and takes its place, being written later. Doing it twice, or dying half way, does no harm.
    """
    if not select(client, _ANY, {"one": pl.Int64()}, {"definition": rules.definition}).height:
        return 0
    written = 0
    history = History(client)
    for epoch, partition, groups in select(client, _OLD, _OLD_COLUMNS, {"definition": rules.definition}).rows():
        log.info("deriving %d session ids of partition %d again, by the changed rules", groups, partition)
        parts = -(-groups // GROUPS_AT_ONCE)
        for part in range(parts):
            stored = history.groups_of_other_rules(rules.definition, epoch, partition, part, parts)
            below = stored.filter(pl.col("log_offset") < applied.get((epoch, partition), 0))
            rows = _rows(below, rules, timedelta(days=horizon.days))
            insert(client, "speed_sessions", rows)
            written += rows.height
    return written


def _rows(stored: pl.DataFrame, rules: SessionRules, horizon: timedelta) -> pl.DataFrame:
    """Rows of whole groups, as if all their events had come in one tick."""
    others = [pl.lit(None, kind).alias(name) for name, kind in EVENT_COLUMNS.items() if name not in STATE_COLUMNS]
    events = stored.sort("log_offset").with_columns(others).select(*EVENT_COLUMNS)
    return sessions.apply(SessionMemory(), events, lambda _: stored.clear(), rules, horizon).rows
