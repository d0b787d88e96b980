"""Where an answer comes from, and the promise behind it: rows of one set of publications, and of no day with a hole.

What the store holds is observed before and after the rows are read. Is it the same, the rows belong to it; otherwise
they are read again. Holes are looked up by themselves, so that no condition of a query can leave them out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, Field

from infra.clients.clickhouse import Client
from schemas.frames import TIMESTAMP
from serving.api.days import WITHIN, Days
from serving.api.problems import BUSY, INCOMPLETE, PAGE_EXPIRED, Problem
from serving.api.store import Store, rows
from serving.log import Ends

Dataset = Literal["events", "orders"]
Clock = Callable[[], datetime]

ATTEMPTS = 3
_SHOWN_HOLES = 50

_OBSERVE = f"""
WITH
    (
        SELECT (max(sequence), argMax(publication_id, sequence))
        FROM publications WHERE dataset = {{dataset:String}}
    ) AS last,
    (
        SELECT (groupArray(log_epoch), groupArray(log_partition), groupArray(complete_from), groupArray(applied),
            groupArray(append_time))
        FROM (SELECT * FROM progress WHERE dataset = {{dataset:String}} ORDER BY log_epoch, log_partition)
    ) AS applied,
    (
        SELECT (groupArray(day), groupArray(log_partition), groupArray(message))
        FROM (SELECT * FROM holes WHERE dataset = {{dataset:String}} AND {WITHIN} ORDER BY day, log_partition)
    ) AS missing
SELECT
    last.1 AS sequence, last.2 AS publication_id,
    applied.1 AS epochs, applied.2 AS partitions, applied.3 AS complete_from,
    applied.4 AS offsets, applied.5 AS append_times,
    missing.1 AS hole_days, missing.2 AS hole_partitions, missing.3 AS hole_messages
"""
_NUMBERS = pl.List(pl.Int64())
_OBSERVED: dict[str, pl.DataType] = {
    "sequence": pl.Int64(),
    "publication_id": pl.String(),
    "epochs": _NUMBERS,
    "partitions": _NUMBERS,
    "complete_from": _NUMBERS,
    "offsets": _NUMBERS,
    "append_times": pl.List(TIMESTAMP),
    "hole_days": pl.List(pl.Date()),
    "hole_partitions": _NUMBERS,
    "hole_messages": pl.List(pl.String()),
}


class Provenance(BaseModel):
    """What an answer was made from."""

    dataset: Dataset = Field(description="Which log and which publications: events or orders")
    source: Literal["clickhouse", "cassandra"] = Field(default="clickhouse", description="The store that answered")
    partial: bool = Field(
        default=False, description="ClickHouse is away: only what the copy for point reads has, of the last days"
    )
    publication_sequence: int | None = Field(
        description="The last publication of the dataset when the rows were read; null if unknown"
    )
    applied_until: datetime | None = Field(
        description="The speed layer has applied all that Kafka received until then; null if it has applied nothing"
    )
    speed_lag_seconds: float | None = Field(
        description="Now less `applied_until`: the speed layer is at most so far behind. Partitions that are applied to"
        " their end count as of when Kafka was last asked; while Kafka is away, as of their last record"
    )
    answered_at: datetime = Field(description="When the rows were read")


@dataclass(frozen=True)
class Observed:
    """What the store holds of a dataset. `state` is equal as long as rows read keep their meaning.

    `applied`: partition -> the offset below which all is applied, and when Kafka received the last of it.
    """

    sequence: int
    publication_id: str
    progress: tuple[tuple[int, int, int], ...]
    applied: Mapping[int, tuple[int, datetime]]
    holes: tuple[tuple[date, int, str], ...]

    @property
    def publication(self) -> str:
        """A name of the publication that is equal only for the same one."""
        return f"{self.sequence}:{self.publication_id}"

    @property
    def state(self) -> object:
        """All but how far the speed layer is, which always moves."""
        return self.publication, self.progress, self.holes


def consistent(
    store: Store,
    clock: Clock,
    dataset: Dataset,
    days: Days,
    read: Callable[[Client], list[dict[str, Any]]],
    publication: str | None = None,
    ends: Ends | None = None,
) -> tuple[list[dict[str, Any]], Observed, Provenance]:
    """What `read` returns, the store at that time, and the provenance.

    `ends` is where the dataset's log ended, if that is known. Raises `Problem`: of a hole within `days`, or if the last
    publication is no longer `publication` (None: any).
    """
    with store.client() as client:
        before = observe(client, dataset, days)
        for _ in range(ATTEMPTS):
            _refuse(dataset, before, publication)
            found = read(client)
            after = observe(client, dataset, days)
            if after.state == before.state:
                return found, before, provenance(dataset, before, clock(), ends)
            before = after
    raise Problem(BUSY, "days were published several times while they were read; ask again")


def observe(client: Client, dataset: Dataset, days: Days) -> Observed:
    """What the store holds now, and the holes of these days."""
    (row,) = rows(client, _OBSERVE, _OBSERVED, {"dataset": dataset, **days.parameters})
    progress = zip(row["epochs"], row["partitions"], row["complete_from"], strict=True)
    holes = zip(row["hole_days"], row["hole_partitions"], row["hole_messages"], strict=True)
    times = zip(row["offsets"], row["append_times"], strict=True)
    applied = dict(zip(row["partitions"], times, strict=True))
    return Observed(row["sequence"], row["publication_id"], tuple(progress), applied, tuple(holes))


def applied_until(applied: Mapping[int, tuple[int, datetime]], ends: Ends | None) -> datetime | None:
    """All that Kafka received until then is applied; None where nothing is."""
    reached = ends.reached({partition: offset for partition, (offset, _) in applied.items()}) if ends else frozenset()
    times = (
        max(time, ends.asked_at) if ends and partition in reached else time for partition, (_, time) in applied.items()
    )
    return min(times, default=None)


def provenance(dataset: Dataset, observed: Observed, now: datetime, ends: Ends | None = None) -> Provenance:
    """The provenance of rows read at `now`, when the log ended at `ends`."""
    until = applied_until(observed.applied, ends)
    lag = None if until is None else max(0.0, (now - until).total_seconds())
    return Provenance(
        dataset=dataset,
        source="clickhouse",
        publication_sequence=observed.sequence,
        applied_until=until,
        speed_lag_seconds=lag,
        answered_at=now.astimezone(UTC),
    )


def _refuse(dataset: Dataset, observed: Observed, publication: str | None) -> None:
    if observed.holes:
        raise incomplete(dataset, observed.holes)
    if publication is not None and publication != observed.publication:
        raise Problem(PAGE_EXPIRED, "leave out the cursor and read again from the first page")


def incomplete(dataset: Dataset, holes: Sequence[tuple[date, int, str]]) -> Problem:
    """The problem of days that neither layer can answer."""
    others = f" (and {len(holes) - 1} more days)" if len(holes) > 1 else ""
    shown = [
        {"dataset": dataset, "day": str(day), "log_partition": partition, "message": message}
        for day, partition, message in holes[:_SHOWN_HOLES]
    ]
    return Problem(INCOMPLETE, f"{holes[0][2]}{others}", holes=shown)
