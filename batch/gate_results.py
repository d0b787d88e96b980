"""The gate's verdicts as rows of ClickHouse, for dashboards and for the question since when a check fails."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from batch.gate import GateReport
from infra.clients.clickhouse import Client, insert
from schemas.frames import TIMESTAMP

_COLUMNS: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "dataset": pl.String(),
    "snapshot_id": pl.Int64(),
    "checked_at": TIMESTAMP,
    "rules_version": pl.String(),
    "name": pl.String(),
    "severity": pl.String(),
    "meaning": pl.String(),
    "passed": pl.Boolean(),
    "unexpected": pl.Int64(),
    "observed": pl.String(),
    "docs": pl.String(),
}


def keep(client: Client, report: GateReport, now: datetime) -> None:
    """Writes a row per check."""
    run = {name: getattr(report, name) for name in ("day", "dataset", "snapshot_id", "rules_version", "docs")}
    run["checked_at"] = now.astimezone(UTC)
    rows = [run | {name: getattr(check, name) for name in _COLUMNS if name not in run} for check in report.checks]
    if rows:
        insert(client, "batch_gate_results", pl.DataFrame(rows, schema=_COLUMNS))
