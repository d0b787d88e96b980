"""What readers get after a publication: all days of the dataset in one row, in the form in which the views compare.

Of a dataset the greatest (sequence, version, publication_id) counts. So the row is the pointer, it is written last, and
a publication that lost a race for its sequence has changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

import polars as pl

from batch.publication import Publication

EPOCH_BITS = 48
PARTITION_BITS = 16
_FIRST_DAY = date(1970, 1, 1)
_NUMBERS = pl.List(pl.UInt64())

COLUMNS: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "sequence": pl.UInt64(),
    "version": pl.UInt64(),
    "publication_id": pl.String(),
    "published_at": pl.Datetime("ms", "UTC"),
    "days": pl.List(pl.Date()),
    "versions": _NUMBERS,
    "sequences": _NUMBERS,
    "publications": pl.List(pl.String()),
    "hot_days": pl.List(pl.Date()),
    "hot_versions": _NUMBERS,
    "places": pl.List(pl.UInt32()),
    "bounds": _NUMBERS,
    "partitions": pl.List(pl.UInt16()),
}
"""A row of `batch_selections`."""


def selection(before: Mapping[date, Publication], written: Sequence[Publication], now: datetime) -> pl.DataFrame:
    """The row that makes a publication count: the days that were selected before it, with its own in their place."""
    after = {**before, **{publication.day: publication for publication in written}}
    days = [after[day] for day in sorted(after)]
    hot = [publication for publication in days if not publication.sealed]
    cuts = [(place(one.day, partition), bound(one.log_epoch, cut)) for one in hot for partition, cut in one.cut.items()]
    newest = written[0]
    row = {
        "dataset": newest.dataset,
        "sequence": newest.sequence,
        "version": newest.version,
        "publication_id": newest.publication_id,
        "published_at": now.astimezone(UTC),
        "days": [one.day for one in days],
        "versions": [one.version for one in days],
        "sequences": [one.sequence for one in days],
        "publications": [one.publication_id for one in days],
        "hot_days": [one.day for one in hot],
        "hot_versions": [one.version for one in hot],
        "places": [where for where, _ in cuts],
        "bounds": [least for _, least in cuts],
        "partitions": sorted(_common(one.cut for one in days)),
    }
    return pl.DataFrame([row], schema=COLUMNS)


def place(day: date, partition: int) -> int:
    """A number for a partition of a day, as the tables of the speed layer have it."""
    return ((day - _FIRST_DAY).days << PARTITION_BITS) | partition


def bound(epoch: int, cut: int) -> int:
    """A number that orders positions of a partition by (epoch, offset)."""
    return (epoch << EPOCH_BITS) | cut


def _common(cuts: Iterable[Mapping[int, int]]) -> frozenset[int]:
    found = [frozenset(cut) for cut in cuts]
    return found[0].intersection(*found[1:])
