"""Load under a new version, compare with what was computed, write the pointer. Nothing is ever swapped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa

from batch.coverage import Coverage
from batch.days import connected
from batch.publication import (
    ConnectedDaysChanged,
    Publication,
    PublicationRefused,
    check,
    landed_until,
    point,
)
from batch.selection import selection
from infra.clients.clickhouse import Client, insert, insert_arrow, select
from schemas import rollup, session_groups
from schemas.lateness import Horizon

DATASET_TABLES = {
    "events": ("batch_events", "batch_sessions", "batch_products", "batch_breakdowns"),
    "orders": ("batch_orders", "batch_breakdowns"),
}
"""Dataset -> the tables that a publication of it selects together."""

ROWS_PER_INSERT = 250_000

_SUMS = {
    "batch_events": "sum(cityHash64(event_id, log_partition, log_offset))",
    "batch_sessions": "sum(events) + sum(duration_ms)",
    "batch_products": "sum(views) + sum(clicks) + sum(add_to_carts) + sum(purchases)",
    "batch_orders": "sum(amount_minor)",
}
_PUBLICATION_COLUMNS: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "sequence": pl.Int64(),
    "publication_id": pl.String(),
    "version": pl.Int64(),
    "log_epoch": pl.Int32(),
    "cut": pl.List(pl.Struct({"key": pl.Int64, "value": pl.Int64})),
    "snapshot_id": pl.Int64(),
    "sealed": pl.Boolean(),
    "definition": pl.String(),
}


@dataclass(frozen=True)
class Candidate:
    """Days that were computed together from one snapshot, ready to be published.

    `reach`: a row per session that touches the days (`log_partition`, `event_days`, `last_offset`); empty for orders.
    """

    dataset: str
    days: frozenset[date]
    version: int
    snapshot_id: int
    coverage: Coverage
    definition: str
    reach: pl.DataFrame


class LoadDiffers(Exception):
    """What was loaded is not what was computed. Nothing was published; run the publication again."""

    def __init__(self, table: str, day: date, computed: int, loaded: int) -> None:
        super().__init__(f"{table} of {day}: {computed} rows were computed but {loaded} loaded; publish the day again")
        self.table, self.day, self.computed, self.loaded = table, day, computed, loaded


class LostRace(PublicationRefused):
    """Another publication took the same place in the history. Check again, then publish."""

    def __init__(self, sequence: int) -> None:
        super().__init__(f"another publication took sequence {sequence} at the same moment; publish again")
        self.sequence = sequence


def current_publications(client: Client, dataset: str) -> dict[date, Publication]:
    """Day -> the publication that readers of the dataset get now."""
    return {publication.day: publication for publication in _read(client, dataset, "current_publications")}


def history(client: Client, dataset: str) -> list[Publication]:
    """Every publication of the dataset that took place, oldest first."""
    return _read(client, dataset, "publications")


def _read(client: Client, dataset: str, view: str) -> list[Publication]:
    sql = f"SELECT {', '.join(_PUBLICATION_COLUMNS)} FROM {view} WHERE dataset = %(dataset)s ORDER BY sequence, day"
    rows = select(client, sql, _PUBLICATION_COLUMNS, {"dataset": dataset}).to_dicts()
    cuts = ({pair["key"]: pair["value"] for pair in row["cut"]} for row in rows)
    return [Publication(**row | {"dataset": dataset, "cut": cut}) for row, cut in zip(rows, cuts, strict=True)]


def load(client: Client, table: str, blocks: Iterable[pa.Table], version: int) -> None:
    """Inserts blocks of rows of one table under the version."""
    for block in blocks:
        of_version = pa.repeat(pa.scalar(version, pa.uint64()), len(block))
        insert_arrow(client, table, block.append_column("version", of_version))


def compare(client: Client, computed: Mapping[str, Mapping[date, int]], days: Collection[date], version: int) -> None:
    """Raises `LoadDiffers` unless every table holds as many rows per day under the version as were computed.

    `computed`: table -> day -> rows.
    """
    for table, rows in computed.items():
        sql = f"SELECT day, count() AS n FROM {table} WHERE version = %(version)s AND day IN %(days)s GROUP BY day"
        counted = select(client, sql, {"day": pl.Date(), "n": pl.Int64()}, {"version": version, "days": sorted(days)})
        loaded = dict(counted.iter_rows())
        for day in days:
            if rows.get(day, 0) != loaded.get(day, 0):
                raise LoadDiffers(table, day, rows.get(day, 0), loaded.get(day, 0))


def publish(
    client: Client, candidate: Candidate, publication_id: str, horizon: Horizon, now: datetime
) -> list[Publication]:
    """Writes the pointer for all days of the candidate in one insert, or raises a `PublicationRefused`.

    The place in the history is taken by writing: of two publishers that checked the same state, only
    one counts for the views.
    """
    current = current_publications(client, candidate.dataset)
    check(candidate.days, current, candidate.version, candidate.coverage)
    _check_connected(candidate, current)
    sequence = 1 + max((published.sequence for published in current.values()), default=0)
    rows = point(
        candidate.dataset,
        candidate.days,
        sequence,
        publication_id,
        candidate.version,
        candidate.coverage,
        candidate.snapshot_id,
        candidate.definition,
        horizon,
    )
    write_pointer(client, rows, current, now)
    return rows


def write_pointer(
    client: Client, rows: Sequence[Publication], current: Mapping[date, Publication], now: datetime
) -> None:
    """Makes readers get these publications from now on, and for all other days what is in `current`.

    First the groups, the rollups and the history, which nobody reads yet, at last the one row that selects. Raises
    `LostRace`.
    """
    dataset, sequence, publication_id = rows[0].dataset, rows[0].sequence, rows[0].publication_id
    if dataset == "events":
        fill_groups(client, rows)
        roll_up(client, rows)
    insert(client, "batch_publications", _frame(rows, now))
    insert(client, "batch_selections", selection(current, rows, now))
    after = current_publications(client, dataset)
    for day in (row.day for row in rows):
        if day not in after or (after[day].publication_id != publication_id and after[day].sequence <= sequence):
            raise LostRace(sequence)


def roll_up_missing(client: Client) -> list[date]:
    """Adds up the published days that are not under the present catalogue of metrics; returns which they were."""
    sql = "SELECT day, version FROM batch_rollup WHERE catalogue = %(catalogue)s AND tenant_id = ''"
    found = select(client, sql, {"day": pl.Date(), "version": pl.Int64()}, {"catalogue": rollup.catalogue()})
    done = set(found.iter_rows())
    rows = [row for row in current_publications(client, "events").values() if (row.day, row.version) not in done]
    roll_up(client, rows)
    return sorted(row.day for row in rows)


def roll_up(client: Client, rows: Iterable[Publication]) -> None:
    """Fills the rollups of the days from their batch rows; those of a day and version are always the same."""
    _run(client, rows, rollup.statements)


def fill_groups(client: Client, rows: Iterable[Publication]) -> None:
    """Fills the groups of the days from their batch rows; those of a day and version are always the same."""
    _run(client, rows, session_groups.statements)


def _run(
    client: Client, rows: Iterable[Publication], statements: Callable[[Iterable[date], int], Iterable[str]]
) -> None:
    days: dict[int, list[date]] = {}
    for row in rows:
        days.setdefault(row.version, []).append(row.day)
    for version, of_version in days.items():
        for statement in statements(of_version, version):
            client.command(statement)


def _check_connected(candidate: Candidate, current: Mapping[date, Publication]) -> None:
    needed = connected(candidate.days, candidate.reach, current, landed_until(candidate.coverage))
    if needed != candidate.days:
        raise ConnectedDaysChanged(candidate.days, needed)


def _frame(rows: Sequence[Publication], now: datetime) -> pl.DataFrame:
    published_at = now.astimezone(UTC)
    return pl.DataFrame(
        {
            "dataset": [row.dataset for row in rows],
            **{name: [getattr(row, name) for row in rows] for name in _PUBLICATION_COLUMNS if name != "cut"},
            "cut": [[{"key": key, "value": value} for key, value in sorted(row.cut.items())] for row in rows],
            "published_at": [published_at for _ in rows],
        },
        schema={
            "dataset": pl.String(),
            **{name: dtype for name, dtype in _PUBLICATION_COLUMNS.items() if name != "cut"},
            "cut": _PUBLICATION_COLUMNS["cut"],
            "published_at": pl.Datetime("ms", "UTC"),
        },
    )
