"""Features into ClickHouse: every load of a day is kept, and counts once its row in `batch_feature_loads` is written.

Of several loads of one day the one of the newest inputs is current, so that one that comes late, from older recomputes,
never takes the place of a newer one. Training reads all of them, by the time at which they were made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from batch.features import Trace, newest_trace
from batch.lake import load_table
from batch.publication import ATTEMPT_BITS
from batch.publish import ROWS_PER_INSERT
from infra.clients.clickhouse import Client, insert, select
from schemas.tables.features import FEATURE_TABLES
from schemas.tables.lake import LakeTable, from_arrow

_LOAD_COLUMNS: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "version": pl.UInt64(),
    "events_sequence": pl.Int64(),
    "orders_sequence": pl.Int64(),
    "events_run": pl.String(),
    "orders_run": pl.String(),
    "created_at": pl.Datetime("ms", "UTC"),
}


class FeaturesDiffer(Exception):
    """The feature tables of a day were not all made from the same recomputes. Make them again, then load."""

    def __init__(self, day: date, found: Mapping[str, Trace | None]) -> None:
        runs = "; ".join(f"{name}: {trace.runs if trace else 'never made'}" for name, trace in found.items())
        super().__init__(f"features of {day} are of different recomputes ({runs}): run segments and recommendations")
        self.day, self.found = day, found


class FeatureLoadDiffers(Exception):
    """What ClickHouse holds of a load is not what the lake has. The load does not count; load again."""

    def __init__(self, table: str, lake: int, loaded: int) -> None:
        super().__init__(f"{table}: the lake has {lake} rows of the days, {loaded} were loaded; load them again")
        self.table, self.lake, self.loaded = table, lake, loaded


@dataclass(frozen=True)
class FeatureLoad:
    """What was loaded. `loaded` is false where the same recomputes were in place already."""

    days: tuple[date, ...]
    runs: dict[str, str]
    version: int
    loaded: bool
    rows: dict[str, int]


def load_features(client: Client, catalog: Catalog, day: date, now: datetime, attempt: int) -> FeatureLoad:
    """Loads the features of a day, and of all days that were made with it, and makes them count.

    Raises `FeaturesDiffer`, `FeatureLoadDiffers`.
    """
    tables = [(table, load_table(catalog, table)) for table in FEATURE_TABLES]
    trace = _common(day, {table.name: newest_trace(found, day) for table, found in tables})
    place = _current(client, day)
    if place is not None and (place["events_run"], place["orders_run"]) == _runs(trace):
        return FeatureLoad(trace.days, trace.runs, place["version"], loaded=False, rows={})
    created = now.astimezone(UTC)
    version = (int(created.timestamp() * 1000) << ATTEMPT_BITS) | attempt
    rows = {table.name: _load(client, table, found, trace, version, created) for table, found in tables}
    insert(client, "batch_feature_loads", _pointer(trace, version, created))
    return FeatureLoad(trace.days, trace.runs, version, loaded=True, rows=rows)


def _common(day: date, found: Mapping[str, Trace | None]) -> Trace:
    first = next(iter(found.values()))
    if first is None or any(trace != first for trace in found.values()):
        raise FeaturesDiffer(day, found)
    return first


def _runs(trace: Trace) -> tuple[str, str]:
    return trace.runs.get("events", ""), trace.runs.get("orders", "")


def _current(client: Client, day: date) -> dict[str, Any] | None:
    sql = (
        f"SELECT {', '.join(_LOAD_COLUMNS)} FROM batch_feature_loads WHERE day = %(day)s"
        " ORDER BY events_sequence DESC, orders_sequence DESC, version DESC LIMIT 1"
    )
    found = select(client, sql, _LOAD_COLUMNS, {"day": day}).to_dicts()
    return found[0] if found else None


def _load(client: Client, table: LakeTable, found: Table, trace: Trace, version: int, created: datetime) -> int:
    rows = 0
    stamp = {"version": pl.lit(version, pl.UInt64), "created_at": pl.lit(created).cast(pl.Datetime("ms", "UTC"))}
    days = ", ".join(f"'{day}'" for day in trace.days)
    scan = found.scan(row_filter=f"day IN ({days})")
    for batch in scan.to_arrow_batch_reader():
        frame = from_arrow(pa.Table.from_batches([batch]), table.frame_schema).with_columns(**stamp)
        rows += frame.height
        for part in frame.iter_slices(ROWS_PER_INSERT):
            insert(client, f"batch_{table.name}", part)
    counted = select(
        client,
        f"SELECT count() AS n FROM batch_{table.name} WHERE version = %(version)s AND day IN %(days)s",
        {"n": pl.Int64()},
        {"version": version, "days": list(trace.days)},
    ).item()
    if counted != rows:
        raise FeatureLoadDiffers(table.name, rows, counted)
    return rows


def _pointer(trace: Trace, version: int, created: datetime) -> pl.DataFrame:
    events_run, orders_run = _runs(trace)
    row = {
        "version": version,
        "events_sequence": trace.sequences.get("events", 0),
        "orders_sequence": trace.sequences.get("orders", 0),
        "events_run": events_run,
        "orders_run": orders_run,
        "created_at": created,
    }
    return pl.DataFrame([row | {"day": day} for day in trace.days], schema=_LOAD_COLUMNS)
