"""Landing: the next range of a topic becomes rows of the lake, and the range is part of the same commit.

Dead letters are written first and the usable rows last, with the range: a landing that dies in between has landed
nothing, and its dead letters are written again at the same positions, by which every reader collapses them.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from batch.commits import commit
from batch.consume import Span
from batch.lake import append, create_tables, data_files, load_table, target
from batch.landings import LANDING, LandedRange, commits
from batch.log import LogEnds, read_ends
from batch.ranges import Covered, LogReplaced, Range, check_same_log, covered_by, landed_until, next_range
from batch.staging import Judge, Stage, Staged, units_of
from batch.storage import Storage
from batch.workers import Workers
from schemas.tables.lake import DEAD_LETTERS, LakeTable

log = logging.getLogger(__name__)


class Overtaken(Exception):
    """Another landing brought the range, or a part of it, meanwhile. Nothing was committed; land what is left."""

    def __init__(self) -> None:
        super().__init__("another landing of the topic was first; land again")


@dataclass(frozen=True)
class Source:
    """A topic, the table that it is landed into, and how its records are judged."""

    topic: str
    table: LakeTable
    judge: Judge


@dataclass(frozen=True)
class LandingOptions:
    """Choices of one landing."""

    epoch: int = 1
    topic_id: str = ""
    """The id that the topic must have; any if empty, unless something of the epoch was landed before."""
    chunk: int = 2_000_000
    """How many offsets one commit takes at most."""
    width: int = 2
    """How many units of work there are at least, if there is as much to do."""
    accept_loss: bool = False
    """Land on although Kafka has deleted records that were never landed."""


@dataclass(frozen=True)
class LandingReport:
    """What a landing brought."""

    topic: str
    epoch: int
    snapshot_id: int
    start: Mapping[int, int]
    end: Mapping[int, int]
    landed_until: datetime
    """All that was appended before is in the lake."""
    commits: int
    records: int
    dead_letters: int
    lost: int
    """Offsets that had expired in Kafka and were given up."""
    cpu_seconds: Mapping[str, float]
    """Stage of the work -> seconds of CPU that workers spent on it."""


@dataclass(frozen=True)
class Lander:
    """The landing of one topic with everything it needs."""

    workers: Workers
    catalog: Catalog
    storage: Storage
    kafka: Mapping[str, str]
    """Configuration of a Kafka client, under librdkafka's names."""
    source: Source
    options: LandingOptions
    clock: Callable[[], datetime]

    def land(self) -> LandingReport:
        """Lands everything up to the end that the topic has now, at least one commit.

        Raises `LogUnavailable`, `LogReplaced`, `RecordsExpired`, `LakeHistoryBroken`.
        """
        create_tables(self.catalog, (self.source.table, DEAD_LETTERS))
        ends = read_ends(self.kafka, self.source.topic, self.clock)
        if self.options.topic_id not in {"", ends.topic_id}:
            raise LogReplaced(ends.topic, f"its id is {ends.topic_id}, and {self.options.topic_id} was read before")
        cpu: dict[str, float] = defaultdict(float)
        landed = [self._land_next(ends, cpu)]
        while any(landed[-1].end[p] < end for p, end in ends.end.items()):
            landed.append(self._land_next(ends, cpu))
        return self._report(landed, cpu)

    def _land_next(self, ends: LogEnds, cpu: dict[str, float]) -> LandedRange:
        table = load_table(self.catalog, self.source.table)
        before = commits(table)
        have = covered_by(before, self.options.epoch)
        if any(ends.end.get(p, 0) < offset for p, offset in have.offsets.items()):
            # Another landing may have gone past them since they were taken; if not, the check below refuses the log.
            ends = read_ends(self.kafka, self.source.topic, self.clock)
        check_same_log(ends, self.options.epoch, before, have)
        todo = next_range(ends, have, self.options.chunk, accept_loss=self.options.accept_loss)
        staged = self._stage(todo, have.append_times)
        for one in staged:
            for stage, seconds in one.cpu_seconds.items():
                cpu[stage] += seconds
        landed = self._describe(ends, todo, have, staged)
        try:
            self._commit(table, have, staged, landed)
        except Overtaken:
            self._discard(file for one in staged for file in one.files)
            return self._land_next(ends, cpu)
        log.info("landed %d records of %s, %d of them dead letters", landed.records, landed.topic, landed.dead_letters)
        return landed

    def _stage(self, todo: Range, append_times: Mapping[int, int]) -> list[Staged]:
        table, dead = (load_table(self.catalog, one) for one in (self.source.table, DEAD_LETTERS))
        stage = Stage(
            kafka=self.kafka,
            topic=self.source.topic,
            epoch=self.options.epoch,
            table=self.source.table,
            judge=self.source.judge,
            target=target(table, self.storage),
            dead_target=target(dead, self.storage),
        )
        spans = [Span(p, todo.read_from[p], todo.end[p]) for p in todo.end]
        return self.workers.run(stage, units_of(spans, append_times, self.options.width), todo.offsets)

    def _describe(self, ends: LogEnds, todo: Range, have: Covered, staged: Sequence[Staged]) -> LandedRange:
        append_times = dict(have.append_times)
        for one in staged:
            append_times |= one.append_times
        return LandedRange(
            topic=ends.topic,
            topic_id=ends.topic_id,
            epoch=self.options.epoch,
            start=todo.start,
            end=todo.end,
            taken_at=landed_until(ends, todo, append_times),
            append_times=append_times,
            records=sum(one.records for one in staged),
            dead_letters=sum(one.dead_letters for one in staged),
            days=tuple(sorted((day for one in staged for day in one.days), key=lambda day: (day.day, day.partition))),
            lost=todo.lost,
        )

    def _commit(self, table: Table, have: Covered, staged: Sequence[Staged], landed: LandedRange) -> None:
        dead = [file for one in staged for file in one.dead_files]
        if dead:
            commit(lambda: load_table(self.catalog, DEAD_LETTERS), lambda now: append(now, dead, {}))
        loaded = [table]
        files = [file for one in staged for file in one.files]
        properties = {LANDING: landed.to_json()}
        commit(
            lambda: loaded.pop() if loaded else self._unmoved(have),
            lambda now: append(now, files, properties),
        )

    def _unmoved(self, have: Covered) -> Table:
        """The table of now, if it covers what it did: then what came between was maintenance. Raises `Overtaken`."""
        table = load_table(self.catalog, self.source.table)
        if covered_by(commits(table), self.options.epoch).offsets != have.offsets:
            raise Overtaken
        return table

    def _discard(self, files: Iterable[str]) -> None:
        """Deletes what came too late, but nothing that the table has: a commit whose answer was lost may be made."""
        held = {file.file_path for file in data_files(load_table(self.catalog, self.source.table))}
        for file in files:
            if file not in held:
                self.storage.delete(file)

    def _report(self, landed: list[LandedRange], cpu: Mapping[str, float]) -> LandingReport:
        first, last = landed[0], landed[-1]
        now = commits(load_table(self.catalog, self.source.table))
        return LandingReport(
            topic=last.topic,
            epoch=last.epoch,
            snapshot_id=next(commit.snapshot_id for commit in reversed(now) if commit.landed == last),
            start=first.start,
            end=last.end,
            landed_until=last.taken_at,
            commits=len(landed),
            records=sum(one.records for one in landed),
            dead_letters=sum(one.dead_letters for one in landed),
            lost=sum(offset - one.start[p] for one in landed for p, offset in one.lost.items()),
            cpu_seconds={stage: round(seconds, 3) for stage, seconds in cpu.items()},
        )
