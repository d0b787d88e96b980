"""What became of the last loads, for people and for the DAG."""

from __future__ import annotations

from typing import Any

import polars as pl

from infra.clients.clickhouse import Client, select

LAST = 14
_TIME = pl.Datetime("ms", "UTC")
_SQL = f"""
SELECT day, version, judged_at, judged, refused, reasons, online_at, online_rows
FROM
(
    SELECT day, argMax(version, (events_sequence, orders_sequence, version)) AS version
    FROM batch_feature_loads GROUP BY day
) AS load
LEFT JOIN
(
    SELECT day, version, max(checked_at) AS judged_at, toInt64(uniqExact(view, feature)) AS judged,
        toInt64(uniqExactIf((view, feature), NOT passed)) AS refused,
        groupUniqArrayIf(5)(concat(view, '.', feature, ': ', reason), NOT passed) AS why,
        arrayStringConcat(why, '; ') AS reasons
    FROM feature_gate GROUP BY day, version
) AS gate USING (day, version)
LEFT JOIN
(
    SELECT day, version, max(finished_at) AS online_at, toInt64(argMax(rows, finished_at)) AS online_rows
    FROM feature_materializations GROUP BY day, version
) AS online USING (day, version)
ORDER BY day DESC LIMIT {LAST} SETTINGS join_use_nulls = 1
"""
_COLUMNS: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "version": pl.UInt64(),
    "judged_at": _TIME,
    "judged": pl.Int64(),
    "refused": pl.Int64(),
    "reasons": pl.String(),
    "online_at": _TIME,
    "online_rows": pl.Int64(),
}


def loads(client: Client) -> list[dict[str, Any]]:
    """The current loads of the last days, what the gate said, and when they came online. Raises `StoreUnavailable`."""
    return select(client, _SQL, _COLUMNS).to_dicts()
