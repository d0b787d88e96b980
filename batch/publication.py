"""A publication: the pointer that makes the rows of one version the batch layer's answer for some days."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from batch.coverage import Coverage
from schemas.lateness import CLOCK_MARGIN, Horizon

ATTEMPT_BITS = 16


@dataclass(frozen=True)
class Publication:
    """One day of a publication, as `batch_publications` keeps it. `cut`: partition -> offset below which it counts."""

    dataset: str
    day: date
    sequence: int
    publication_id: str
    version: int
    log_epoch: int
    cut: Mapping[int, int]
    snapshot_id: int
    sealed: bool
    definition: str

    def counts(self, partition: int, offset: int) -> bool:
        """Whether a record at this position is below the cut."""
        return offset < self.cut.get(partition, 0)


def new_version(snapshot_sequence: int, attempt: int) -> int:
    """A version: ordered by the lake's history, and different for every attempt to load the same snapshot.

    `attempt` is a random number; two loads never write into one version, so a load that died leaves nothing to mend.
    """
    return (snapshot_sequence << ATTEMPT_BITS) | (attempt % (1 << ATTEMPT_BITS))


def snapshot_sequence(version: int) -> int:
    """The place in the lake's history that a version was computed from."""
    return version >> ATTEMPT_BITS


class PublicationRefused(Exception):
    """The publication would not be an answer that is at least as new as the one in place. Recompute, then publish."""


class StalePublication(PublicationRefused):
    """A newer snapshot of the lake is published already for a day."""

    def __init__(self, day: date, published: int, offered: int) -> None:
        super().__init__(
            f"{day} is published from lake commit {published}, newer than {offered}; nothing was changed:"
            " recompute from the newest snapshot if a change is still wanted"
        )
        self.day, self.published, self.offered = day, published, offered


class CutMovesBack(PublicationRefused):
    """The offered cut is below the one in place for a partition."""

    def __init__(self, day: date, partition: int, published: int, offered: int) -> None:
        super().__init__(
            f"{day}: the cut of partition {partition} would move back from {published} to {offered};"
            " recompute from a snapshot that covers more"
        )
        self.day, self.partition, self.published, self.offered = day, partition, published, offered


class ConnectedDaysChanged(PublicationRefused):
    """Since the recompute another publication changed which days must move together."""

    def __init__(self, computed: Collection[date], needed: Collection[date]) -> None:
        super().__init__(
            f"days {_names(computed)} were computed, but {_names(needed)} must now move together; recompute them"
        )
        self.computed, self.needed = frozenset(computed), frozenset(needed)


class NotYetPublishable(PublicationRefused):
    """The landing ended before the day was over for long enough."""

    def __init__(self, day: date, landed_until: datetime) -> None:
        super().__init__(
            f"{day} cannot be published from a landing that ends at {landed_until:%Y-%m-%d %H:%M} UTC;"
            " land again more than an hour and five minutes after the end of the day"
        )
        self.day, self.landed_until = day, landed_until


def landed_until(coverage: Coverage) -> datetime:
    """The time until which the coverage surely holds all that was appended, with the allowance for clocks."""
    return coverage.taken_at - CLOCK_MARGIN


def check(days: Iterable[date], current: Mapping[date, Publication], version: int, coverage: Coverage) -> None:
    """Raises `StalePublication` or `CutMovesBack` when the version must not take the place of what is published."""
    for published in (current[day] for day in days if day in current):
        if snapshot_sequence(published.version) > snapshot_sequence(version):
            raise StalePublication(published.day, snapshot_sequence(published.version), snapshot_sequence(version))
        for partition, offset in published.cut.items():
            if published.log_epoch == coverage.epoch and coverage.end.get(partition, 0) < offset:
                raise CutMovesBack(published.day, partition, offset, coverage.end.get(partition, 0))


def point(
    dataset: str,
    days: Iterable[date],
    sequence: int,
    publication_id: str,
    version: int,
    coverage: Coverage,
    snapshot_id: int,
    definition: str,
    horizon: Horizon,
) -> list[Publication]:
    """The rows of one publication. A day is sealed when its horizon was over before the coverage was taken."""
    return [
        Publication(
            dataset=dataset,
            day=day,
            sequence=sequence,
            publication_id=publication_id,
            version=version,
            log_epoch=coverage.epoch,
            cut=coverage.end,
            snapshot_id=snapshot_id,
            sealed=horizon.is_over(day, landed_until(coverage)),
            definition=definition,
        )
        for day in sorted(days)
    ]


def _names(days: Iterable[date]) -> str:
    return ", ".join(str(day) for day in sorted(days)) or "none"
