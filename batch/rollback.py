"""Pointing back: the publication of a day before the current one answers again, with all days that moved with it.

The state of the store before a publication was one that readers could trust. So not only the day goes back, but every
day that moved with it, then or since: days that a session connects never answer from two moments. A rollback is a new
publication with an old version, so what readers saw in between stays in the history and may be pinned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl

from batch.publication import Publication, PublicationRefused
from batch.publish import DATASET_TABLES, current_publications, history, write_pointer
from infra.clients.clickhouse import Client, select


class NothingBefore(PublicationRefused):
    """A day that would move was not published before, and an answer cannot be taken away."""

    def __init__(self, day: date, asked: date) -> None:
        moved = "" if day == asked else f", and it moved with {asked}"
        super().__init__(f"{day} has no earlier publication to go back to{moved}; recompute and publish it instead")
        self.day, self.asked = day, asked


class PastHorizon(PublicationRefused):
    """The speed layer may have dropped what lies between the cuts."""

    def __init__(self, day: date) -> None:
        super().__init__(
            f"{day} is sealed: rows of the speed layer past the earlier cut may be gone, so going back would lose"
            " records; recompute and publish the day instead"
        )
        self.day = day


class VersionGone(PublicationRefused):
    """Maintenance has dropped the rows of the earlier version."""

    def __init__(self, day: date, version: int, table: str) -> None:
        super().__init__(f"{table} of {day}: the rows of version {version} were dropped; recompute the day instead")
        self.day, self.version, self.table = day, version, table


@dataclass(frozen=True)
class Rollback:
    """What readers get from now on."""

    dataset: str
    sequence: int
    versions: Mapping[date, tuple[int, int]]
    """Day -> the version that it left, and the one that it went back to."""


def going_back(day: date, past: Iterable[Publication]) -> dict[date, Publication]:
    """Day -> the publication that it goes back to, from all that took place in one dataset.

    Raises `NothingBefore`, `PastHorizon`.
    """
    by_day: dict[date, list[Publication]] = {}
    for one in sorted(past, key=lambda one: one.sequence):
        by_day.setdefault(one.day, []).append(one)
    if day not in by_day:
        raise NothingBefore(day, day)
    since = by_day[day][-1].sequence
    moving = _connected(day, since, [one for own in by_day.values() for one in own])
    found = {}
    for moved in sorted(moving):
        before = [publication for publication in by_day[moved] if publication.sequence < since]
        if by_day[moved][-1].sealed:
            raise PastHorizon(moved)
        if not before:
            raise NothingBefore(moved, day)
        found[moved] = before[-1]
    return found


def roll_back(client: Client, dataset: str, day: date, publication_id: str, now: datetime) -> Rollback:
    """Points the day, and all that moved with it, to what was published before. Raises a `PublicationRefused`."""
    past = history(client, dataset)
    current = current_publications(client, dataset)
    target = going_back(day, past)
    _check_rows(client, dataset, target, current)
    sequence = 1 + max(one.sequence for one in past)
    rows = [replace(one, sequence=sequence, publication_id=publication_id) for one in target.values()]
    write_pointer(client, rows, current, now)
    versions = {one: (current[one].version, back.version) for one, back in target.items()}
    return Rollback(dataset, sequence, versions)


def _connected(day: date, since: int, past: Collection[Publication]) -> frozenset[date]:
    """The day and all that moved with it, or with one of those, in publications from `since` on."""
    later = [one for one in past if one.sequence >= since]
    found = frozenset({day})
    while True:
        moved = {one.publication_id for one in later if one.day in found}
        more = found | {one.day for one in later if one.publication_id in moved}
        if more == found:
            return found
        found = more


def _check_rows(
    client: Client, dataset: str, target: Mapping[date, Publication], current: Mapping[date, Publication]
) -> None:
    """A version that readers left has rows wherever the one they got instead has, unless it was dropped."""
    for table in DATASET_TABLES[dataset]:
        sql = f"SELECT DISTINCT day, version FROM {table} WHERE day IN %(days)s"
        columns: dict[str, pl.DataType] = {"day": pl.Date(), "version": pl.Int64()}
        there = set(select(client, sql, columns, {"days": sorted(target)}).iter_rows())
        for day, back in target.items():
            if (day, back.version) not in there and (day, current[day].version) in there:
                raise VersionGone(day, back.version, table)
