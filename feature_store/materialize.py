"""Batch features into the online store: load by load, each judged first, and each as often as one likes.

A load is written from its own rows, so what comes online is exactly what the gate saw. Versions keep a day that is
written late from taking the place of a newer one. Feast's own `materialize` works too; it knows neither gate nor loads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from feature_store.catalogue import VIEWS
from feature_store.drift import Finding, Limits, judge
from feature_store.loads import Load, current, waiting, write_findings, write_online
from feature_store.model import Kind, Origin, View
from feature_store.writing import OnlineRow, OnlineWriter
from infra.clients.clickhouse import Client, select

ROWS_AT_ONCE = 5_000
WEEK = timedelta(days=7)
TYPES: Mapping[Kind, pl.DataType] = {
    Kind.STRING: pl.String(),
    Kind.INT64: pl.Int64(),
    Kind.FLOAT64: pl.Float64(),
    Kind.BOOL: pl.Boolean(),
    Kind.STRINGS: pl.List(pl.String),
    Kind.FLOATS: pl.List(pl.Float64),
}
_TIMES: dict[str, pl.DataType] = dict.fromkeys(("event_time", "created_at"), pl.Datetime("ms", "UTC"))
BATCH_VIEWS = tuple(view for view in VIEWS.values() if view.origin is Origin.BATCH)
_POINTER = "SELECT day, version FROM batch_feature_loads"


class GateRefused(Exception):
    """A load's values have moved too far; nothing of it is online. Look at `findings`, then repair or accept them."""

    def __init__(self, load: Load, findings: Sequence[Finding]) -> None:
        said = "; ".join(f"{found.view}.{found.feature}: {found.reason}" for found in findings[:5])
        super().__init__(
            f"features of {load.day} stay offline ({len(findings)} of them did not pass: {said}); see feature_gate, and"
            " put them online all the same with --accept"
        )
        self.load, self.findings = load, findings


@dataclass(frozen=True)
class Materialized:
    """A load that is online now."""

    day: date
    version: int
    rows: int
    features: int
    refused: int


def gate(client: Client, load: Load, limits: Limits, now: datetime) -> list[Finding]:
    """Judge a load against the current one of a week before, and keep what was found."""
    before = current(client, load.day - WEEK)
    findings = [
        found
        for view in BATCH_VIEWS
        for found in judge(view.name, _features(client, view, load), _features(client, view, before), limits)
    ]
    write_findings(client, load, findings, now)
    return findings


def materialize(
    client: Client,
    online: OnlineWriter,
    limits: Limits,
    clock: Callable[[], datetime],
    *,
    accept: bool = False,
    days: Sequence[date] = (),
) -> list[Materialized]:
    """Put every current load online that is not, oldest first; with `days`, those again. `accept` overrules the gate.

    Raises `GateRefused` for the first load that does not pass, `StoreUnavailable`, `OnlineWriteFailed`.
    """
    again = [load for day in days if (load := current(client, day))]
    return [_online(client, online, load, limits, clock, accept) for load in again or waiting(client)]


def _online(
    client: Client, online: OnlineWriter, load: Load, limits: Limits, clock: Callable[[], datetime], accept: bool
) -> Materialized:
    findings = gate(client, load, limits, clock())
    refused = [found for found in findings if not found.passed]
    if refused and not accept:
        raise GateRefused(load, refused)
    began = clock()
    rows = sum(
        online.write(view.name, part) for view in BATCH_VIEWS for part in _parts(_rows(client, view, load), view)
    )
    write_online(client, load, began, clock(), rows)
    return Materialized(load.day, load.version, rows, len(findings), len(refused))


def _parts(frame: pl.DataFrame, view: View) -> Iterator[list[OnlineRow]]:
    for part in frame.iter_slices(ROWS_AT_ONCE):
        yield [_row(view, row) for row in part.iter_rows(named=True)]


def _row(view: View, row: Mapping[str, Any]) -> OnlineRow:
    entity = tuple(str(row[key]) for key in view.keys)
    return OnlineRow(entity, _milliseconds(row["event_time"]), _milliseconds(row["created_at"]), row)


def _features(client: Client, view: View, load: Load | None) -> pl.DataFrame:
    return _rows(client, view, load).select(feature.name for feature in view.features)


def _rows(client: Client, view: View, load: Load | None) -> pl.DataFrame:
    """The rows of one load, as the catalogue reads them from all loads."""
    columns = {
        **dict.fromkeys(view.keys, pl.String()),
        **_TIMES,
        **{feature.name: TYPES[feature.kind] for feature in view.features},
    }
    if load is None:
        return pl.DataFrame(schema=columns)
    one = f"{_POINTER} WHERE day = '{load.day}' AND version = {load.version}"
    return select(client, view.query.replace(_POINTER, one), columns)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def utc_now() -> datetime:
    """The clock of the commands."""
    return datetime.now(UTC)
