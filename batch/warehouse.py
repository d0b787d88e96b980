"""What the batch layer leaves in ClickHouse: loaded and published results, and a copy of the lake's landings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import uuid4

import polars as pl

from batch.landings import Commit
from batch.publication import new_version, snapshot_sequence
from batch.publish import ROWS_PER_INSERT, Candidate, compare, current_publications, load, publish
from batch.results import Manifest, Results
from infra.clients.clickhouse import Client, insert, select
from schemas.frames import TIMESTAMP
from schemas.lateness import Horizon

_LANDING_COLUMNS: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "snapshot_id": pl.Int64(),
    "log_epoch": pl.Int32(),
    "log_partition": pl.Int32(),
    "day": pl.Date(),
    "records": pl.Int64(),
    "first_offset": pl.Int64(),
    "last_offset": pl.Int64(),
    "taken_at": TIMESTAMP,
}


@dataclass(frozen=True)
class PublishReport:
    """What readers get from now on. `published` is false where the same result was in place already."""

    dataset: str
    run: str
    days: tuple[date, ...]
    snapshot_id: int
    version: int
    sealed: tuple[date, ...]
    published: bool
    rows: Mapping[str, int]
    """Table -> rows of the days."""


@dataclass(frozen=True)
class Binding:
    """Which log the stores speak of: the newest epoch of a topic, and the id that Kafka gave it ('' if unknown)."""

    epoch: int
    topic_id: str


def binding(client: Client, topic: str) -> Binding:
    """The binding that the speed layer made; epoch 1 and any id while there is none."""
    sql = "SELECT log_epoch, topic_id FROM log_epochs FINAL WHERE topic = %(topic)s ORDER BY log_epoch DESC LIMIT 1"
    found = select(client, sql, {"log_epoch": pl.Int32(), "topic_id": pl.String()}, {"topic": topic})
    return Binding(*found.row(0)) if found.height else Binding(1, "")


def copy_landings(client: Client, dataset: str, commits: Iterable[Commit]) -> int:
    """Writes the landings that ClickHouse does not have yet; returns how many rows that were."""
    sql = "SELECT DISTINCT snapshot_id FROM batch_landings WHERE dataset = %(dataset)s"
    known = set(select(client, sql, {"snapshot_id": pl.Int64()}, {"dataset": dataset})["snapshot_id"])
    rows = [
        {
            "dataset": dataset,
            "snapshot_id": commit.snapshot_id,
            "log_epoch": commit.landed.epoch,
            "log_partition": part.partition,
            "taken_at": commit.landed.taken_at,
            **{name: getattr(part, name) for name in ("day", "records", "first_offset", "last_offset")},
        }
        for commit in commits
        if commit.snapshot_id not in known
        for part in commit.landed.days
    ]
    if rows:
        insert(client, "batch_landings", pl.DataFrame(rows, schema=_LANDING_COLUMNS))
    return len(rows)


def publish_run(
    client: Client, results: Results, manifest: Manifest, horizon: Horizon, now: datetime, attempt: int
) -> PublishReport:
    """Loads a finished recompute under a new version and points the readers at it.

    Does nothing if all its days are published from the same snapshot and definition already. Raises
    `PublicationRefused`, `LoadDiffers`.
    """
    rows = {table: results.rows_by_day(manifest, table) for table in manifest.files}
    current = current_publications(client, manifest.dataset)
    in_place = [current[day] for day in manifest.days if day in current]
    same = [one for one in in_place if (one.snapshot_id, one.definition) == (manifest.snapshot_id, manifest.definition)]
    if len(same) == len(manifest.days):
        return _report(manifest, same[0].version, [one.day for one in same if one.sealed], rows, published=False)
    candidate = _candidate(manifest, new_version(manifest.snapshot_sequence, attempt), results.reach(manifest))
    for table in manifest.files:
        load(client, table, results.blocks(manifest, table, ROWS_PER_INSERT), candidate.version)
    compare(client, rows, manifest.days, candidate.version)
    written = publish(client, candidate, uuid4().hex, horizon, now)
    return _report(manifest, candidate.version, [one.day for one in written if one.sealed], rows, published=True)


def newer_in_place(client: Client, results: Results, manifest: Manifest) -> PublishReport | None:
    """Of a run all of whose days are published from newer snapshots and by the same definition: what is in place."""
    current = current_publications(client, manifest.dataset)
    newer = [
        one
        for day in manifest.days
        if (one := current.get(day))
        and snapshot_sequence(one.version) > manifest.snapshot_sequence
        and one.definition == manifest.definition
    ]
    if len(newer) < len(manifest.days):
        return None
    rows = {table: results.rows_by_day(manifest, table) for table in manifest.files}
    return _report(manifest, newer[0].version, [one.day for one in newer if one.sealed], rows, published=False)


def _candidate(manifest: Manifest, version: int, reach: pl.DataFrame) -> Candidate:
    return Candidate(
        dataset=manifest.dataset,
        days=frozenset(manifest.days),
        version=version,
        snapshot_id=manifest.snapshot_id,
        coverage=manifest.coverage,
        definition=manifest.definition,
        reach=reach,
    )


def _report(
    manifest: Manifest, version: int, sealed: Iterable[date], rows: Mapping[str, Mapping[date, int]], *, published: bool
) -> PublishReport:
    return PublishReport(
        dataset=manifest.dataset,
        run=manifest.run,
        days=manifest.days,
        snapshot_id=manifest.snapshot_id,
        version=version,
        sealed=tuple(sorted(sealed)),
        published=published,
        rows={table: sum(days.values()) for table, days in rows.items()},
    )
