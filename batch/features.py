"""Features: a day is reduced to its day tables, and 30 days of these are folded into the features of the day.

Only wiring: what a row means stands in `schemas`. Each write overwrites its days and names the recomputes that it was
made from in the snapshot's properties, so that doing it again changes nothing and every value can be traced.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Generic

import polars as pl
from pyiceberg.table import Table

from batch.engine import Engine, Fold, Overwrite, Rows
from batch.results import RESULT_TABLES, Manifest, Results
from schemas.tables.lake import LakeTable

INPUTS = "rivermeet.inputs"
"""The snapshot property that says what a write was made from."""


@dataclass(frozen=True)
class Inputs:
    """The finished recomputes that features are made from."""

    manifests: tuple[Manifest, ...]
    """One per dataset; a dataset of which nothing was ever landed is absent."""

    @property
    def days(self) -> tuple[date, ...]:
        """The days whose features are made: those of any of the recomputes."""
        return tuple(sorted({day for manifest in self.manifests for day in manifest.days}))

    @property
    def trace(self) -> Trace:
        """What is written beside the rows."""
        runs = {manifest.dataset: manifest.run for manifest in self.manifests}
        sequences = {manifest.dataset: manifest.snapshot_sequence for manifest in self.manifests}
        return Trace(self.days, runs, sequences)


@dataclass(frozen=True)
class Trace:
    """What a write was made from: its days and, by dataset, the recompute and its place in the lake's history."""

    days: tuple[date, ...]
    runs: dict[str, str]
    sequences: dict[str, int]

    def to_json(self) -> str:
        """The value of the snapshot property."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Trace:
        """What `to_json` wrote."""
        raw = json.loads(text)
        return cls(tuple(date.fromisoformat(day) for day in raw["days"]), raw["runs"], raw["sequences"])

    def is_newer(self, than: Trace) -> bool:
        """Whether it was made from a newer snapshot, and from none that is older."""
        pairs = [
            (self.sequences.get(name, 0), than.sequences.get(name, 0)) for name in (self.sequences | than.sequences)
        ]
        return all(own >= other for own, other in pairs) and any(own > other for own, other in pairs)


def newest_trace(table: Table, day: date) -> Trace | None:
    """What the newest write of the day was made from."""
    for snapshot in sorted(table.snapshots(), key=lambda one: one.sequence_number or 0, reverse=True):
        text = snapshot.summary.additional_properties.get(INPUTS) if snapshot.summary else None
        if text and day in (trace := Trace.from_json(text)).days:
            return trace
    return None


@dataclass(frozen=True)
class DayTable:
    """How one dataset's day becomes rows of a day table."""

    table: LakeTable
    dataset: str
    source: str
    """The result table that it reads."""
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    """Rows that agree in these come to one worker together."""
    reduce: Callable[[pl.DataFrame], pl.DataFrame]
    sums: str = ""
    """The column that is added up over workers, where the keys do not bring all of a row together."""


@dataclass(frozen=True)
class FeatureReport:
    """What was written: rows of each feature table by day; none where features of newer recomputes are in place."""

    runs: dict[str, str]
    days: tuple[date, ...]
    rows: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Wiring(Generic[Rows]):
    """What every reduction and fold needs."""

    engine: Engine[Rows]
    results: Results

    def reduce_days(self, inputs: Inputs, tables: Sequence[DayTable]) -> None:
        """Overwrites the days of the recomputes in the day tables."""
        for manifest in inputs.manifests:
            for one in (table for table in tables if table.dataset == manifest.dataset):
                which = Overwrite(one.table, manifest.days, manifest.dataset)
                self.engine.overwrite(which, self._reduced(manifest, one), {INPUTS: inputs.trace.to_json()})

    def window(self, table: LakeTable, day: date, days: int) -> Rows:
        """The rows of a day table of so many days that end with `day`."""
        return self.engine.window(table, day - timedelta(days=days - 1), day)

    def collected(self, rows: Rows, table: LakeTable, value: str = "rows") -> pl.DataFrame:
        """Partial counts of all workers, added up: small by construction."""
        return self.engine.frame(self._summed(rows, table, value), table.frame_schema)

    def write(self, table: LakeTable, parts: Sequence[Rows], inputs: Inputs) -> dict[str, int]:
        """Overwrites the days of the inputs with the parts, one per day; answers the rows by day."""
        columns = ", ".join(table.frame_schema)
        named = {f"part_{number}": part for number, part in enumerate(parts)}
        rows = self.engine.sql(" UNION ALL ".join(f"SELECT {columns} FROM {{{name}}}" for name in named), **named)
        self.engine.overwrite(Overwrite(table, inputs.days), rows, {INPUTS: inputs.trace.to_json()})
        stored = self.engine.window(table, inputs.days[0], inputs.days[-1])
        counted = self.engine.sql("SELECT day, COUNT(*) AS n FROM {stored} GROUP BY day", stored=stored)
        by_day = dict(self.engine.frame(counted, {"day": pl.Date(), "n": pl.Int64()}).sort("day").rows())
        return {str(day): by_day[day] for day in inputs.days if day in by_day}

    def _reduced(self, manifest: Manifest, one: DayTable) -> Rows:
        whole = RESULT_TABLES[one.source]
        needed = replace(whole, columns={name: whole.columns[name] for name in one.columns}, day_of="day")
        files = [self.results.uri(manifest.dataset, manifest.run, name) for name in manifest.files[one.source]]
        rows = self.engine.read(files, whole)
        made = self.engine.fold(self.engine.together(rows, rows, one.keys), Fold(one.reduce, needed, one.table))
        return self._summed(made, one.table, one.sums) if one.sums else made

    def _summed(self, rows: Rows, table: LakeTable, value: str) -> Rows:
        keys = ", ".join(name for name in table.frame_schema if name != value)
        statement = f"SELECT {keys}, CAST(SUM({value}) AS BIGINT) AS {value} FROM {{made}} GROUP BY {keys}"
        return self.engine.sql(statement, made=rows)
