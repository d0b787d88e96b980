"""One tick of the speed layer: from the records of some slices to rows, written in order.

State is the fold of stored events below the start of the tick and nothing newer. The memory changes only after
everything is written, so a tick that failed can be applied again, cut in the same way or in any other.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import polars as pl

from infra.clients.clickhouse import Client
from schemas.alerts import AlertRules
from schemas.lateness import Horizon
from schemas.sessions import SessionRules
from schemas.verdicts import READERS
from streams import holes, popularity, progress, sessions, states
from streams.anomalies import Anomalies, Watched
from streams.counts import Counts, Standing
from streams.facts import Facts, facts_of, repeated
from streams.memory import Memory, MemoryLimits
from streams.records import TRANSACTIONS, USER_EVENTS, Range, Records
from streams.restore import History
from streams.slices import Slice
from streams.stages import Stages
from streams.writes import PROGRESS, Write, in_order, says_the_rest_is_there
from streams.writing import Writer

Standings = Mapping[tuple[str, int], progress.Progress]
"""(topic, partition) -> how far it is applied."""


class Intake(Protocol):
    """Makes records of slices; raises when it could not reach what it needs, so that the tick is tried again."""

    def __call__(self, slices: Sequence[Slice]) -> Records:
        """Decodes and validates all records of the slices."""
        ...


class Outputs(Protocol):
    """Where rows go besides the store, before the progress is written."""

    def send(self, write: Write) -> None:
        """Hands the rows of a write on."""
        ...

    def confirm(self) -> None:
        """Returns when everything handed on is safe; raises when it is not, so that the tick is tried again."""
        ...


class NoOutputs:
    """For whom the store is enough."""

    def send(self, write: Write) -> None:
        """Does nothing."""

    def confirm(self) -> None:
        """There is nothing to wait for."""


@dataclass(frozen=True)
class Derived:
    """What follows from the facts: rows by table, and what the memory takes in when they are written."""

    windows: popularity.WindowChange
    after: dict[tuple[str, int], progress.Progress]
    watched: Watched
    rows: Mapping[str, pl.DataFrame]


class Engine:
    """Folds slices into rows of ClickHouse. Used by one thread at a time."""

    def __init__(
        self,
        client: Client,
        intake: Intake,
        rules: SessionRules,
        horizon: Horizon,
        outputs: Outputs | None = None,
        limits: MemoryLimits | None = None,
        alert_rules: AlertRules | None = None,
        writers: Sequence[Client] = (),
    ) -> None:
        self._client = client
        self._intake = intake
        self._outputs = outputs or NoOutputs()
        self._rules = rules
        self._horizon = timedelta(days=horizon.days)
        self._history = History(client)
        self._counts = Counts(client, horizon.days)
        self.memory = Memory(limits)
        self.stages = Stages()
        self._write = Writer(writers or [client], self.stages)
        self._anomalies = Anomalies(client, alert_rules or AlertRules(), self._horizon)

    def tick(self, slices: Sequence[Slice]) -> None:
        """Applies the slices: returns when all their rows and the progress are written.

        Raises what the store or the registry raised, and `WaitForPublication`; nothing is then held to be written.
        """
        with self.stages("decode"):
            records = self._intake(slices)
        steps = self.steps(records)
        writes = next(steps)
        while writes:
            is_progress = says_the_rest_is_there(writes)
            if is_progress:
                with self.stages("topics", time.thread_time):
                    self._outputs.confirm()
            with self._write(writes) as written:
                # The next step is derived while this one is written; past the last, the memory takes all in.
                upcoming = () if is_progress else next(steps)
                for write in written:
                    with self.stages("topics", time.thread_time):
                        self._outputs.send(write)
            writes = upcoming or next(steps, ())

    def steps(self, records: Records) -> Iterator[Sequence[Write]]:
        """The writes of one tick, step for step; those of one step may be written in any order, or side by side.

        A step may be asked for while the one before is being written, but nothing after the last, the progress, before
        all is written: then the memory takes the tick in.
        """
        self._drop_what_is_newer(records)
        before = {(r.topic, r.partition): self._progress(r) for r in records.ranges}
        yield from self._beginnings(records, before)
        with self.stages("restore"):
            self._restore(records, before)
        facts = facts_of(records, self.memory, self._history, self._rules, self._horizon, self.stages)
        yield from in_order(facts.rows)
        derived = self._derived(records, before, facts)
        yield from in_order(derived.rows)
        with self.stages("remember"):
            self.memory.take_in(facts.change, facts.orders, derived.windows, derived.after)
        self._anomalies.take_in(derived.watched)

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        """Drops the memory of partitions that were assigned or revoked; it is derived again from stored events."""
        self.memory.forget(topic, partitions)
        self._anomalies.forget(topic, partitions)

    def _derived(self, records: Records, before: Standings, facts: Facts) -> Derived:
        standings = {
            r.partition: Standing(r.first, before[r.topic, r.partition].hole_until)
            for r in records.ranges
            if r.topic == USER_EVENTS
        }
        with self.stages("products"):
            windows = self.memory.windows.apply(
                facts.hot_events, lambda missing: self._counts.windows(missing, standings)
            )
        with self.stages("alerts"):
            watched = self._anomalies.derive(records, facts.hot_events, facts.hot_orders, facts.orders.used)
        times = {topic: _watermarks(records, topic) for topic in {r.topic for r in records.ranges}}
        after = {
            (r.topic, r.partition): progress.advance(before[r.topic, r.partition], r, times[r.topic].get(r.partition))
            for r in records.ranges
        }
        rows = {
            "speed_duplicates": repeated(facts),
            "speed_dead_letters": records.dead_letters,
            "speed_sessions": facts.change.rows,
            "speed_products": windows.rows,
            "speed_reach": facts.change.reach,
            **watched.rows,
            **states.rows(records.states),
            PROGRESS: pl.DataFrame(
                [progress.row(r, after[r.topic, r.partition], r.last_append_time) for r in records.ranges],
                schema=progress.PROGRESS_COLUMNS,
            ),
        }
        return Derived(windows, after, watched, rows)

    def _progress(self, tick: Range) -> progress.Progress:
        """Where the partition stands; it is written before anything waits, so that the views know of a hole."""
        known = self.memory.progress.get((tick.topic, tick.partition))
        found = known or progress.stored(self._client, tick.topic, tick.epoch, tick.partition)
        return found if found is not None and found.reaches(tick) else progress.begin(tick)

    def _beginnings(self, records: Records, before: Standings) -> Iterator[Sequence[Write]]:
        """Where a partition begins anew past records that are gone, that is said first, and then waited for.

        Raises `WaitForPublication` while those records are in no published version of their day.
        """
        known = self.memory.progress
        fresh = [r for r in records.ranges if known.get((r.topic, r.partition)) != before[r.topic, r.partition]]
        begun = [r for r in fresh if before[r.topic, r.partition].begins_past_records(r)]
        rows = [progress.row(r, before[r.topic, r.partition], r.first_append_time) for r in begun]
        yield from in_order({PROGRESS: pl.DataFrame(rows, schema=progress.PROGRESS_COLUMNS)})
        for tick in fresh:
            holes.require_no_open_hole(self._client, tick, before[tick.topic, tick.partition])

    def _drop_what_is_newer(self, records: Records) -> None:
        """Where a tick does not begin where the memory ends, the memory of that partition is of no use."""
        for tick in records.ranges:
            known = self.memory.progress.get((tick.topic, tick.partition))
            if known is not None and known.applied != tick.first:
                self.forget(tick.topic, [tick.partition])

    def _restore(self, records: Records, before: Standings) -> None:
        """What must be known of a partition when it is first read: which ids are stored, and the open sessions."""
        fresh = {
            (r.topic, r.partition): r for r in records.ranges if (r.topic, r.partition) not in self.memory.restored
        }
        of_events = [partition for topic, partition in fresh if topic == USER_EVENTS]
        of_orders = [partition for topic, partition in fresh if topic == TRANSACTIONS]
        if of_events:
            self.memory.sessions.seen.known.add(self._history.stored_sessions(of_events))
        if of_orders:
            self.memory.orders.known.add(self._history.stored_orders(of_orders))
        for partition in of_events:
            self._restore_sessions(fresh[USER_EVENTS, partition], before[USER_EVENTS, partition].watermark)
        self.memory.restored |= fresh.keys()

    def _restore_sessions(self, tick: Range, watermark: datetime | None) -> None:
        self.memory.windows.begin({tick.partition: None if watermark is None else round(watermark.timestamp() * 1_000)})
        if watermark is None:
            return
        stored = self._history.open_groups(tick.partition, watermark - self._rules.gap, tick.first, self.memory.room())
        stored = stored.filter(pl.col("log_epoch") == tick.epoch)
        sessions.restore(self.memory.sessions, stored, self._rules, self.memory.stamp)


def _watermarks(records: Records, topic: str) -> dict[int, datetime]:
    """Partition -> the greatest time of its usable records."""
    latest = records.of(topic).group_by("log_partition").agg(pl.col(READERS[topic].time).max())
    return dict(latest.iter_rows())
