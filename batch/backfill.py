"""A span of days from the lake: which are left to do, and in what pieces.

A day is done once it is published from what the lake holds of it now. So a backfill that died goes on where it was,
two beside each other do not do a day twice for long, and a second backfill of one span does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from batch.publication import Publication, landed_until
from batch.snapshot import Pinned
from schemas.lateness import is_publishable


@dataclass(frozen=True)
class BackfillReport:
    """What a backfill did of one dataset."""

    dataset: str
    published: tuple[date, ...]
    """Days that it published, those that had to move along included."""
    in_place: tuple[date, ...]
    """Days that were published from all that the lake holds of them."""
    refused: tuple[date, ...]
    """Days that the gate refused."""
    without_data: tuple[date, ...]
    """Days of which nothing was landed, or that are not over."""


def span(first: date, last: date) -> list[date]:
    """All days from the first to the last."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def is_done(day: date, pinned: Pinned, published: Publication | None, definition: str) -> bool:
    """Whether the publication counts every record of the day that the snapshot covers, by the rules of now."""
    if published is None or published.definition != definition:
        return False
    parts = [(commit.landed.epoch, part) for commit in pinned.commits for part in commit.landed.days if part.day == day]
    return all(
        epoch == published.log_epoch and published.counts(part.partition, part.last_offset) for epoch, part in parts
    )


def has_data(day: date, pinned: Pinned) -> bool:
    """Whether something was landed of the day, and it is over for long enough."""
    return pinned.landed_rows([day]) > 0 and is_publishable(day, landed_until(pinned.coverage))


def to_do(
    days: Iterable[date], pinned: Pinned, published: Mapping[date, Publication], definition: str
) -> tuple[list[date], list[date], list[date]]:
    """The days that are left, those that are in place, and those without data."""
    left, in_place, without = [], [], []
    for day in days:
        if not has_data(day, pinned):
            without.append(day)
        elif is_done(day, pinned, published.get(day), definition):
            in_place.append(day)
        else:
            left.append(day)
    return left, in_place, without
