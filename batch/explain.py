"""Where a number comes from: the publication, the snapshot of the lake, the landings of the day, and events of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from batch.landings import Commit
from batch.markdown import table
from batch.publication import Publication, snapshot_sequence
from infra.clients.clickhouse import Client, select
from schemas.frames import TIMESTAMP
from schemas.metrics import METRICS, Metric, Source

SAMPLES = 5
_TABLES: dict[Source, tuple[str, str]] = {
    "sessions": ("events", "batch_sessions"),
    "events": ("events", "batch_events"),
    "orders": ("orders", "batch_orders"),
}
"""Source of a metric -> the dataset that is published, and its table."""

_EVENT_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "session_id": pl.String(),
    "event_id": pl.String(),
    "event_type": pl.String(),
    "event_time": TIMESTAMP,
    "log_partition": pl.Int32(),
    "log_offset": pl.Int64(),
}
_ORDER_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "transaction_id": pl.String(),
    "status": pl.String(),
    "order_time": TIMESTAMP,
    "amount_minor": pl.Int64(),
    "currency": pl.String(),
    "log_partition": pl.Int32(),
    "log_offset": pl.Int64(),
}


class UnknownMetric(Exception):
    """The catalogue has no metric of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no metric {name}; known are {', '.join(metric.name for metric in METRICS)}")
        self.name = name


class NotPublished(Exception):
    """No publication selects the day, so its number comes from the speed layer alone. Recompute and publish it."""

    def __init__(self, dataset: str, day: date) -> None:
        super().__init__(f"{dataset} of {day} are not published: what readers get comes from the speed layer alone")
        self.dataset, self.day = dataset, day


@dataclass(frozen=True)
class LandedPart:
    """What one landing brought of the day from one partition, in the snapshot that was computed from."""

    snapshot_id: int
    taken_at: datetime
    partition: int
    records: int
    first_offset: int
    last_offset: int


@dataclass(frozen=True)
class Part:
    """What one of the metrics that a number is made of counts, and rows that it counts."""

    metric: str
    kind: str
    table: str
    value: str
    where: str
    samples: tuple[Mapping[str, Any], ...]
    """Events or order facts with their place in the log; of a count of sessions, the events of some of them."""


@dataclass(frozen=True)
class Explanation:
    """The way of a number from the log to its readers."""

    day: date
    metric: str
    meaning: str
    unit: str
    answers: tuple[Mapping[str, Any], ...]
    """What readers get now: a row by tenant (and currency) with the layer that it comes from, the groups for which the
    speed layer answers, and of a ratio both its terms."""
    dataset: str
    publication: int
    version: int
    definition: str
    snapshot_id: int
    snapshot_sequence: int
    cut: Mapping[int, int]
    """Partition -> the offset below which the batch layer has counted."""
    landings: tuple[LandedPart, ...]
    parts: tuple[Part, ...]

    def to_markdown(self) -> str:
        """The explanation for people: from what readers get back to the log."""
        return "\n".join(_lines(self)) + "\n"


def find_metric(name: str) -> Metric:
    """The metric of the catalogue. Raises `UnknownMetric`."""
    found = next((metric for metric in METRICS if metric.name == name), None)
    if found is None:
        raise UnknownMetric(name)
    return found


def dataset_of(metric: Metric) -> str:
    """The dataset whose publication gives the metric."""
    return _TABLES[_terms(metric)[0].source or "events"][0]


def explain(
    client: Client, metric: Metric, day: date, published: Mapping[date, Publication], commits: Iterable[Commit]
) -> Explanation:
    """Traces a metric of a day; `commits` are the landings of the publication's snapshot. Raises `NotPublished`."""
    dataset = dataset_of(metric)
    if day not in published:
        raise NotPublished(dataset, day)
    one = published[day]
    return Explanation(
        day=day,
        metric=metric.name,
        meaning=metric.meaning,
        unit=metric.unit,
        answers=_answers(client, metric, day),
        dataset=dataset,
        publication=one.sequence,
        version=one.version,
        definition=one.definition,
        snapshot_id=one.snapshot_id,
        snapshot_sequence=snapshot_sequence(one.version),
        cut=one.cut,
        landings=tuple(_landed(commits, day)),
        parts=tuple(_part(client, term, day, one.version) for term in _terms(metric)),
    )


def _terms(metric: Metric) -> list[Metric]:
    """A ratio is made of two others."""
    return [metric] if metric.kind != "ratio" else [find_metric(metric.numerator), find_metric(metric.denominator)]


def _answers(client: Client, metric: Metric, day: date) -> tuple[Mapping[str, Any], ...]:
    currency: dict[str, pl.DataType] = {"currency": pl.String()} if metric.grain == "daily_revenue" else {}
    terms = _terms(metric) if metric.kind == "ratio" else []
    keys: dict[str, pl.DataType] = {"tenant_id": pl.String(), **currency}
    figures: dict[str, pl.DataType] = {
        "layer": pl.String(),
        "late_groups": pl.Int64(),
        **{term.name: pl.Int64() for term in terms},
    }
    named = ", ".join((*keys, f"{metric.name} AS value", *figures))
    sql = f"SELECT {named} FROM {metric.grain} WHERE day = %(day)s ORDER BY {', '.join(keys)}"
    columns = {**keys, "value": pl.Float64(), **figures}
    return tuple(select(client, sql, columns, {"day": day}).to_dicts())


def _landed(commits: Iterable[Commit], day: date) -> Iterable[LandedPart]:
    for commit in commits:
        for part in commit.landed.days:
            if part.day == day:
                yield LandedPart(
                    commit.snapshot_id,
                    commit.landed.taken_at,
                    part.partition,
                    part.records,
                    part.first_offset,
                    part.last_offset,
                )


def _part(client: Client, metric: Metric, day: date, version: int) -> Part:
    table = _TABLES[metric.source or "events"][1]
    columns = _ORDER_COLUMNS if metric.source == "orders" else _EVENT_COLUMNS
    chosen = "day = %(day)s AND version = %(version)s"
    source, where = table, f"{chosen} AND ({metric.where})"
    if metric.source == "sessions":
        groups = "tenant_id, session_id, log_epoch, log_partition"
        some = f"SELECT {groups} FROM {table} WHERE {where} ORDER BY {groups} LIMIT {SAMPLES}"
        source, where = "batch_events", f"{chosen} AND ({groups}) IN ({some})"
    in_order = f"ORDER BY log_partition, log_offset LIMIT {SAMPLES * 4}"
    sql = f"SELECT {', '.join(columns)} FROM {source} WHERE {where} {in_order}"
    rows = select(client, sql, columns, {"day": day, "version": version}).to_dicts()
    return Part(metric.name, metric.kind, table, metric.value, metric.where, tuple(rows))


def _lines(found: Explanation) -> Iterator[str]:
    yield f"# {found.metric} of {found.day}: {found.meaning} [{found.unit}]"
    yield "\n## What readers get now\n"
    yield from table(found.answers)
    yield "\n## Which publication they get\n"
    yield f"- publication {found.publication} of {found.dataset}: version {found.version}, rules {found.definition}"
    yield f"- computed from snapshot {found.snapshot_id} of the lake, commit {found.snapshot_sequence} of its table"
    yield f"- counts the log below (partition:offset) {' '.join(f'{p}:{end}' for p, end in sorted(found.cut.items()))}"
    yield "- what came later is of the speed layer: `late_groups` above"
    for part in found.parts:
        yield f"\n## {part.metric}: {part.kind} of {part.value} in {part.table} where {part.where}\n"
        yield from table(part.samples)
    yield f"\n## What was landed of {found.day}\n"
    yield from table([asdict(one) for one in found.landings])
