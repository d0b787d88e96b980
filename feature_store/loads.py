"""Published loads of batch features, and which of them are online."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from feature_store.drift import Finding
from infra.clients.clickhouse import Client, insert, select

_TIME = pl.Datetime("ms", "UTC")
_CURRENT = (
    "SELECT day, argMax(version, (events_sequence, orders_sequence, version)) FROM batch_feature_loads GROUP BY day"
)
_WAITING = (
    "SELECT day, version FROM batch_feature_loads"
    f" WHERE (day, version) IN ({_CURRENT})"
    " AND (day, version) NOT IN (SELECT day, version FROM feature_materializations) ORDER BY day"
)
_OF_DAY = (
    "SELECT day, version FROM batch_feature_loads WHERE day = {day:Date}"
    " ORDER BY events_sequence DESC, orders_sequence DESC, version DESC LIMIT 1"
)
_COLUMNS: dict[str, pl.DataType] = {"day": pl.Date(), "version": pl.UInt64()}


@dataclass(frozen=True)
class Load:
    """The features of one UTC day, as one recompute made them."""

    day: date
    version: int


def waiting(client: Client) -> list[Load]:
    """The current loads that are not online yet, by day. Raises `StoreUnavailable`."""
    return [Load(*row) for row in select(client, _WAITING, _COLUMNS).iter_rows()]


def current(client: Client, day: date) -> Load | None:
    """The current load of a day. Raises `StoreUnavailable`."""
    rows = list(select(client, _OF_DAY, _COLUMNS, {"day": day}).iter_rows())
    return Load(*rows[0]) if rows else None


def write_findings(client: Client, load: Load, findings: Sequence[Finding], at: datetime) -> None:
    """Keep what the gate found of a load. Raises `StoreUnavailable`."""
    rows = [
        {
            "day": load.day,
            "version": load.version,
            "checked_at": at,
            "view": found.view,
            "feature": found.feature,
            "rows": found.rows,
            "null_share": found.null_share,
            "null_share_before": found.null_share_before,
            "psi": found.psi,
            "passed": found.passed,
            "reason": found.reason,
        }
        for found in findings
    ]
    schema = {
        **_COLUMNS,
        "checked_at": _TIME,
        "view": pl.String(),
        "feature": pl.String(),
        "rows": pl.UInt64(),
        "null_share": pl.Float64(),
        "null_share_before": pl.Float64(),
        "psi": pl.Float64(),
        "passed": pl.Boolean(),
        "reason": pl.String(),
    }
    insert(client, "feature_gate", pl.DataFrame(rows, schema=schema))


def write_online(client: Client, load: Load, began: datetime, finished: datetime, rows: int) -> None:
    """Keep that a load is online. Raises `StoreUnavailable`."""
    row = {"day": load.day, "version": load.version, "began_at": began, "finished_at": finished, "rows": rows}
    schema = {**_COLUMNS, "began_at": _TIME, "finished_at": _TIME, "rows": pl.UInt64()}
    insert(client, "feature_materializations", pl.DataFrame([row], schema=schema))
