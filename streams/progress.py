"""How far each partition is applied, and since where without a gap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from infra.clients.clickhouse import Client, select
from schemas.frames import TIMESTAMP
from schemas.lateness import AHEAD
from streams.records import Range

PROGRESS_COLUMNS: dict[str, pl.DataType] = {
    "topic": pl.String(),
    "log_epoch": pl.Int32(),
    "log_partition": pl.Int32(),
    "applied": pl.Int64(),
    "complete_from": pl.Int64(),
    "hole_until": pl.Date(),
    "watermark": TIMESTAMP,
    "append_time": TIMESTAMP,
}
"""A row of `speed_progress`."""

BEGINNING_COLUMNS = ("topic", "log_epoch", "log_partition", "complete_from", "hole_until")
"""Those of them that are a row of `speed_beginnings`: what does not change while records are applied."""

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Progress:
    """One partition: the store holds every record of `[complete_from, applied)`.

    `hole_until` is the last UTC day that a record below `complete_from` can belong to; `watermark` the greatest event
    time applied, None before any.
    """

    applied: int
    complete_from: int
    hole_until: date
    watermark: datetime | None

    def reaches(self, tick: Range) -> bool:
        """Whether no record is missing between what is applied and what the tick reads."""
        return tick.first <= self.applied

    def begins(self, tick: Range) -> bool:
        """Whether nothing is applied yet of what the store is to hold without a gap."""
        return self.complete_from == self.applied == tick.first


def begin(tick: Range) -> Progress:
    """Progress of a partition of which nothing is stored: complete from where its log is first read."""
    hole_until = (tick.first_append_time + AHEAD).date() if tick.first else _EPOCH_START.date()
    return Progress(tick.first, tick.first, hole_until, None)


def advance(before: Progress, tick: Range, watermark: datetime | None) -> Progress:
    """Progress after the tick, of whose usable records `watermark` is the greatest event time."""
    times = [time for time in (before.watermark, watermark) if time is not None]
    return Progress(tick.end, before.complete_from, before.hole_until, max(times, default=None))


def row(tick: Range, progress: Progress, append_time: datetime) -> dict[str, object]:
    """`PROGRESS_COLUMNS` of one partition, of which the last record applied was appended at `append_time`."""
    return {
        "topic": tick.topic,
        "log_epoch": tick.epoch,
        "log_partition": tick.partition,
        "applied": progress.applied,
        "complete_from": progress.complete_from,
        "hole_until": progress.hole_until,
        "watermark": progress.watermark or _EPOCH_START,
        "append_time": append_time,
    }


def applied(client: Client) -> dict[tuple[str, int, int], tuple[int, int]]:
    """(topic, epoch, partition) -> the offset below which all is applied, and the last record's append time (ms)."""
    rows = select(client, "SELECT * FROM speed_progress FINAL", PROGRESS_COLUMNS)
    found = rows.select("topic", "log_epoch", "log_partition", "applied", pl.col("append_time").dt.timestamp("ms"))
    return {(topic, epoch, partition): (offset, time) for topic, epoch, partition, offset, time in found.iter_rows()}


def stored(client: Client, topic: str, epoch: int, partition: int) -> Progress | None:
    """What the store says of a partition, None if it says nothing."""
    sql = (
        "SELECT * FROM speed_progress FINAL"
        " WHERE topic = %(topic)s AND log_epoch = %(epoch)s AND log_partition = %(partition)s"
    )
    parameters = {"topic": topic, "epoch": epoch, "partition": partition}
    rows = select(client, sql, PROGRESS_COLUMNS, parameters).to_dicts()
    if not rows:
        return None
    found = rows[0]
    watermark = None if found["watermark"] == _EPOCH_START else found["watermark"]
    return Progress(found["applied"], found["complete_from"], found["hole_until"], watermark)
