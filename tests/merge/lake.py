"""A lake in memory: commits with parents, each with the records of its range. Coverage is the real code's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from batch.coverage import Coverage, Landing, covered
from tests.merge.frames import time_of
from tests.merge.log import TheLog
from tests.oracle.records import Log, LogRecord


@dataclass(frozen=True)
class Commit:
    parent: int | None
    landing: Landing
    records: tuple[LogRecord, ...]


@dataclass
class Lake:
    """One table per dataset, that is, per list of partitions."""

    logs: tuple[Log, ...]
    commits: dict[int, Commit] = field(default_factory=dict)
    head: int | None = None

    def lander(self, log: TheLog) -> Iterator[None]:
        """Lands once; yields where it can die or be overtaken: before and after the commit."""
        before = self.coverage(self.head).end
        start = {part.partition: before.get(part.partition, 0) for part in self.logs}
        end = {part.partition: len(log.records[part]) for part in self.logs}
        taken_at = time_of(log.clock)
        yield
        number = len(self.commits) + 1
        records = tuple(
            record for part in self.logs for record in log.records[part][start[part.partition] : end[part.partition]]
        )
        landing = Landing(number, number, 1, start, end, taken_at)
        self.commits[number] = Commit(self.head, landing, records)
        self.head = number
        yield

    def lineage(self, snapshot: int | None) -> list[Commit]:
        """The commits that a snapshot is made of, oldest first."""
        found = []
        while snapshot is not None:
            found.append(self.commits[snapshot])
            snapshot = self.commits[snapshot].parent
        return found[::-1]

    def coverage(self, snapshot: int | None) -> Coverage:
        return covered([commit.landing for commit in self.lineage(snapshot)])

    def records(self, snapshot: int) -> list[LogRecord]:
        """Every record below the coverage, once."""
        end = self.coverage(snapshot).end
        found = {
            r.position: r for commit in self.lineage(snapshot) for r in commit.records if r.offset < end[r.partition]
        }
        return list(found.values())
