"""What a worker does for a landing: it reads spans of the log, judges the records and writes them to files.

The files are part of no table until the landing commits them, so a worker that dies, or runs twice, leaves only files
that nobody names; maintenance deletes them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from batch.consume import RawRecords, Span, consume
from batch.files import Target
from batch.landings import LandedDay
from schemas.tables.lake import DEAD_LETTERS, LakeTable, to_arrow

UNIT_OFFSETS = 250_000
"""Offsets of a unit of work; some 300 MB of memory."""


@dataclass(frozen=True)
class Judged:
    """What became of raw records: rows of the table that is landed into, and dead letters."""

    usable: pl.DataFrame
    dead_letters: pl.DataFrame


Judge = Callable[[RawRecords], Judged]
ByDay = dict[date, list[tuple[int, pl.DataFrame]]]


@dataclass(frozen=True)
class Unit:
    """Spans of different partitions, all of which one worker takes."""

    spans: tuple[Span, ...]
    floors: Mapping[int, int]
    """Partition -> greatest append time (ms) below its span."""


@dataclass(frozen=True)
class Staged:
    """What a unit wrote, and what it holds."""

    files: tuple[str, ...]
    dead_files: tuple[str, ...]
    days: tuple[LandedDay, ...]
    dead_letters: int
    append_times: Mapping[int, int]
    """Partition -> greatest append time (ms), of partitions with records."""
    cpu_seconds: Mapping[str, float]
    """Stage of the work -> seconds of CPU: read, judge, write."""

    @property
    def records(self) -> int:
        """Records read."""
        return sum(day.records for day in self.days) + self.dead_letters


def units_of(todo: Sequence[Span], floors: Mapping[int, int], width: int) -> list[Unit]:
    """What is to do spread over at least `width` units of about equal size; a partition is in one unit only."""
    todo = sorted((span for span in todo if span.offsets), key=lambda span: (-span.offsets, span.partition))
    count = min(len(todo), max(width, -(-sum(span.offsets for span in todo) // UNIT_OFFSETS)))
    bins: list[list[Span]] = [[] for _ in range(count)]
    for span in todo:
        min(bins, key=lambda found: sum(one.offsets for one in found)).append(span)
    ordered = [sorted(found, key=lambda span: span.partition) for found in bins]
    return [
        Unit(tuple(found), {s.partition: floors[s.partition] for s in found if s.partition in floors})
        for found in ordered
    ]


@dataclass(frozen=True)
class Stage:
    """The work on a unit."""

    kafka: Mapping[str, str]
    topic: str
    epoch: int
    table: LakeTable
    judge: Judge
    target: Target
    dead_target: Target

    def __call__(self, unit: Unit) -> Staged:
        """Reads, judges and writes the unit."""
        cpu = _Cpu()
        usable, dead = _Rows(), _Rows()
        times: dict[int, int] = {}
        for raw in cpu.each("read", consume(self.kafka, self.topic, self.epoch, unit.spans, unit.floors)):
            times[raw.partition] = raw.append_times[-1]
            with cpu.of("judge"):
                judged = self.judge(raw)
                usable.add(raw.partition, judged.usable, self.table)
                dead.add(raw.partition, judged.dead_letters.with_columns(topic=pl.lit(self.topic)), DEAD_LETTERS)
        with cpu.of("write"):
            found = usable.by_day()
            files = tuple(_write(found, self.table, self.target))
            dead_files = tuple(_write(dead.by_day(), DEAD_LETTERS, self.dead_target))
        return Staged(files, dead_files, tuple(_described(found)), dead.count, times, dict(cpu.seconds))


@dataclass
class _Rows:
    """Frames by partition, in the order of their offsets."""

    parts: dict[int, list[pl.DataFrame]] = field(default_factory=lambda: defaultdict(list))

    def add(self, partition: int, rows: pl.DataFrame, table: LakeTable) -> None:
        if rows.height:
            day = pl.col(table.day_of).dt.date()
            self.parts[partition].append(rows.with_columns(day=day))

    @property
    def count(self) -> int:
        return sum(rows.height for parts in self.parts.values() for rows in parts)

    def by_day(self) -> ByDay:
        """Each day with its rows, by partition."""
        found: ByDay = defaultdict(list)
        for partition, parts in sorted(self.parts.items()):
            for rows in pl.concat(parts).partition_by("day", maintain_order=True):
                found[rows["day"][0]].append((partition, rows))
        return dict(sorted(found.items()))


def _described(found: ByDay) -> Iterator[LandedDay]:
    for day, parts in found.items():
        for partition, rows in parts:
            offsets = rows["log_offset"]
            yield LandedDay(day, partition, rows.height, offsets[0], offsets[-1])


def _write(found: ByDay, table: LakeTable, target: Target) -> Iterator[str]:
    for day, parts in found.items():
        yield target.write(day, (to_arrow(rows.drop("day"), table) for _, rows in parts))


@dataclass
class _Cpu:
    """Seconds of CPU of this process by stage, those of the client's own threads included."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        begun = time.process_time()
        try:
            yield
        finally:
            self.seconds[stage] += time.process_time() - begun

    def each(self, stage: str, items: Iterator[RawRecords]) -> Iterator[RawRecords]:
        while True:
            with self.of(stage):
                item = next(items, None)
            if item is None:
                return
            yield item
