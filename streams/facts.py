"""The first half of a tick: which of its records count, once each, and what they do to sessions.

State is the fold of stored events below the start of the tick and nothing newer. The memory changes only after the
facts are stored, so a half that failed can be applied again, cut in the same way or in any other.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from infra.clients.clickhouse import Client
from schemas.frames import utc_day
from schemas.lateness import Horizon
from schemas.sessions import SessionRules
from schemas.verdicts import READERS
from streams import holes, orders, progress, sessions
from streams.memory import Memory, MemoryLimits
from streams.records import TRANSACTIONS, USER_EVENTS, Range, Records
from streams.restore import Assigned, History
from streams.stages import Stages
from streams.writes import BEGINNINGS, FACTS, PROGRESS, SESSIONS, Writes, of_step

Standings = Mapping[tuple[str, int], progress.Progress]
"""(topic, partition) -> how far it is applied."""


@dataclass(frozen=True)
class Facts:
    """The events and orders that count, of one tick or of some in a row; all other rows are derived from these.

    `events` and `orders` are hot, that is, they came within the horizon of their day; `all_orders` has cold ones too.
    The other frames are rows of the tables `speed_*`, `states` are records of the other topics. `before` and `after`
    say where the partitions stood and stand; `forgotten` are the (topic, partition) whose memory was dropped before.
    """

    ranges: tuple[Range, ...]
    events: pl.DataFrame
    orders: pl.DataFrame
    all_orders: pl.DataFrame
    sessions: pl.DataFrame
    reach: pl.DataFrame
    duplicates: pl.DataFrame
    dead_letters: pl.DataFrame
    states: Mapping[str, pl.DataFrame]
    before: Standings
    after: Standings
    forgotten: Collection[tuple[str, int]]


def sessions_of(facts: Facts) -> Writes:
    """What is written beside the facts: whoever reads back reads facts alone, so nothing waits for these rows."""
    return of_step((SESSIONS,), {SESSIONS: facts.sessions})


_FRAMES = ("events", "orders", "all_orders", "sessions", "reach", "duplicates", "dead_letters")


def joined(ticks: Sequence[Facts]) -> Facts:
    """The facts of ticks in a row, of which none but the first forgot anything, as those of one."""
    topics = {topic for tick in ticks for topic in tick.states}
    return Facts(
        ranges=_joined_ranges([each for tick in ticks for each in tick.ranges]),
        **{name: pl.concat([getattr(tick, name) for tick in ticks]) for name in _FRAMES},
        states={topic: pl.concat([tick.states[topic] for tick in ticks if topic in tick.states]) for topic in topics},
        before={place: at for tick in reversed(ticks) for place, at in tick.before.items()},
        after={place: at for tick in ticks for place, at in tick.after.items()},
        forgotten=ticks[0].forgotten,
    )


def _joined_ranges(ranges: Sequence[Range]) -> tuple[Range, ...]:
    found: dict[tuple[str, int], Range] = {}
    for each in ranges:
        known = found.get((each.topic, each.partition), each)
        found[each.topic, each.partition] = replace(each, first=known.first, first_append_time=known.first_append_time)
    return tuple(found.values())


class FactFold:
    """Makes facts of records. Used by one thread at a time."""

    def __init__(
        self, client: Client, rules: SessionRules, horizon: Horizon, limits: MemoryLimits, stages: Stages
    ) -> None:
        self.memory = Memory(limits)
        self._client, self._rules, self._horizon = client, rules, timedelta(days=horizon.days)
        self._history = History(client)
        self._stages = stages
        self._forgotten: set[tuple[str, int]] = set()

    def steps(self, records: Records) -> Generator[Writes, None, Facts]:
        """The writes, step for step, then the facts.

        What a step writes must be there before the next is asked for, but for rows of sessions.

        Raises what the store raised, and `WaitForPublication`.
        """
        self._drop_what_is_newer(records)
        before = {(r.topic, r.partition): self._progress(r) for r in records.ranges}
        yield self._beginnings(records, before)
        with self._stages("restore"):
            self._restore(records, before)
        change, placed = self._fold(records)
        hot_events, cold_events = _by_horizon(change.used, "event_time", self._horizon)
        hot_orders, cold_orders = _by_horizon(placed.used, "order_time", self._horizon)
        rows = {
            "events_speed": hot_events.with_columns(day=utc_day("event_time")),
            "events_cold": cold_events.with_columns(day=utc_day("event_time")),
            "orders_speed": hot_orders.with_columns(day=utc_day("order_time")),
            "orders_cold": cold_orders.with_columns(day=utc_day("order_time")),
        }
        yield of_step((*FACTS, SESSIONS), {**rows, SESSIONS: change.rows})
        after = _after(records, before)
        with self._stages("remember"):
            self.memory.take_in(change, placed, after)
        forgotten, self._forgotten = self._forgotten, set()
        return Facts(
            ranges=records.ranges,
            events=hot_events,
            orders=hot_orders,
            all_orders=placed.used,
            sessions=change.rows,
            reach=change.reach,
            duplicates=_repeated(change, placed),
            dead_letters=records.dead_letters,
            states=records.states,
            before=before,
            after=after,
            forgotten=forgotten,
        )

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        """Drops the memory of partitions that were assigned or revoked; it is derived again from stored events."""
        self.memory.forget(topic, partitions)
        self._forgotten |= {(topic, partition) for partition in partitions}

    def _drop_what_is_newer(self, records: Records) -> None:
        """Where a tick does not begin where the memory ends, the memory of that partition is of no use."""
        for tick in records.ranges:
            known = self.memory.progress.get((tick.topic, tick.partition))
            if known is not None and known.applied != tick.first:
                self.forget(tick.topic, [tick.partition])

    def _progress(self, tick: Range) -> progress.Progress:
        """Where the partition stands; it is written before anything waits, so that the views know of a hole."""
        known = self.memory.progress.get((tick.topic, tick.partition))
        found = known or progress.stored(self._client, tick.topic, tick.epoch, tick.partition)
        return found if found is not None and found.reaches(tick) else progress.begin(tick)

    def _beginnings(self, records: Records, before: Standings) -> Writes:
        """Where a partition begins is said first; where that is past records that are gone, it is waited for then."""
        fresh = [(r, before[r.topic, r.partition]) for r in records.ranges if self._is_fresh(r)]
        rows = [progress.row(r, at, r.first_append_time) for r, at in fresh if at.begins(r)]
        begun = pl.DataFrame(rows, schema=progress.PROGRESS_COLUMNS)
        past_records = begun.filter(pl.col("complete_from") > 0)
        tables = {BEGINNINGS: begun.select(progress.BEGINNING_COLUMNS), PROGRESS: past_records}
        return of_step((BEGINNINGS, PROGRESS), tables)

    def _restore(self, records: Records, before: Standings) -> None:
        """What must be known of a partition when it is first read: which ids are stored, and the open sessions.

        Raises `WaitForPublication` while records that its log has lost are in no published version of their day.
        """
        fresh = [tick for tick in records.ranges if self._is_fresh(tick)]
        for tick in fresh:
            holes.require_no_open_hole(self._client, tick, before[tick.topic, tick.partition])
        of_events = [tick for tick in fresh if tick.topic == USER_EVENTS]
        of_orders = [tick for tick in fresh if tick.topic == TRANSACTIONS]
        if of_events:
            stored = self._history.stored_sessions([tick.partition for tick in of_events])
            self.memory.sessions.seen.known.add(stored)
        if of_orders:
            self.memory.orders.known.add(self._history.stored_orders([tick.partition for tick in of_orders]))
        self._restore_sessions(of_events, before)
        self.memory.restored |= {(tick.topic, tick.partition) for tick in fresh}

    def _restore_sessions(self, of_events: Sequence[Range], before: Standings) -> None:
        partitions = [tick.partition for tick in of_events]
        if self.memory.sessions.seen.has_any(partitions):  # a try that failed has left them
            self.memory.forget(USER_EVENTS, partitions)
        marks = [(tick, before[USER_EVENTS, tick.partition].watermark) for tick in of_events]
        assigned = [
            Assigned(tick.epoch, tick.partition, watermark - self._rules.gap, tick.first)
            for tick, watermark in marks
            if watermark is not None
        ]
        for stored in self._history.open_groups(assigned, self.memory.room()) if assigned else ():
            sessions.restore(self.memory.sessions, stored, self._rules, self.memory.stamp)

    def _is_fresh(self, tick: Range) -> bool:
        return (tick.topic, tick.partition) not in self.memory.restored

    def _fold(self, records: Records) -> tuple[sessions.SessionChange, orders.OrderChange]:
        starts, history, memory = records.starts, self._history, self.memory
        with self._stages("sessions"):
            change = sessions.apply(
                memory.sessions,
                records.events,
                lambda groups: history.events(groups, starts(USER_EVENTS)),
                self._rules,
                self._horizon,
            )
        with self._stages("orders"):
            placed = orders.apply(
                memory.orders, records.orders, lambda found: history.orders(found, starts(TRANSACTIONS))
            )
        return change, placed


def _by_horizon(facts: pl.DataFrame, time: str, horizon: timedelta) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(hot, cold)."""
    cold = facts.select(utc_day(time) + horizon < utc_day("append_time")).to_series()
    return (facts.filter(~cold), facts.filter(cold)) if cold.any() else (facts, facts.clear())


def _after(records: Records, before: Standings) -> Standings:
    times = {topic: _watermarks(records, topic) for topic in {r.topic for r in records.ranges}}
    return {
        (r.topic, r.partition): progress.advance(before[r.topic, r.partition], r, times[r.topic].get(r.partition))
        for r in records.ranges
    }


def _watermarks(records: Records, topic: str) -> dict[int, datetime]:
    """Partition -> the greatest time of its usable records."""
    latest = records.of(topic).group_by("log_partition").agg(pl.col(READERS[topic].time).max())
    return dict(latest.iter_rows())


def _repeated(change: sessions.SessionChange, placed: orders.OrderChange) -> pl.DataFrame:
    """Rows of `speed_duplicates`: the records that say again what is known."""
    events = _again(change.duplicates, USER_EVENTS, "session_id", "event_id")
    return pl.concat([events, _again(placed.duplicates, TRANSACTIONS, "transaction_id", "transaction_id")])


def _again(duplicates: pl.DataFrame, topic: str, entity: str, record: str) -> pl.DataFrame:
    return duplicates.select(
        pl.lit(topic).alias("topic"),
        "log_epoch",
        "log_partition",
        "log_offset",
        "append_time",
        "tenant_id",
        pl.col(entity).alias("entity_id"),
        pl.col(record).alias("record_id"),
        "first_offset",
    )
