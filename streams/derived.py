"""The second half of a tick, or of some in a row: the rows that follow from the facts, and at last the progress.

What it knows of earlier ticks, counts of windows and what alerts need, is as of all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from datetime import UTC, datetime, time, timedelta

import polars as pl

from infra.clients.clickhouse import Client
from schemas.alerts import AlertRules
from schemas.frames import milliseconds
from schemas.lateness import Horizon
from schemas.products import WINDOW
from streams import progress, states
from streams.anomalies import Anomalies, Watched
from streams.counts import Counts, Standing
from streams.facts import Facts
from streams.ledger import by_topic
from streams.memory import LEFT
from streams.popularity import WindowChange, WindowMemory
from streams.progress import Progress
from streams.records import USER_EVENTS
from streams.stages import Stages
from streams.writes import DERIVED, PROGRESS, Writes, of_step

RECENT = timedelta(minutes=30)
"""Windows that begin so long before the watermark are read back at once when a partition is first read."""


class Derivation:
    """Makes rows of facts. Used by one thread at a time. `windows` is the most windows in memory."""

    def __init__(self, client: Client, alert_rules: AlertRules, horizon: Horizon, windows: int, stages: Stages) -> None:
        self.windows = WindowMemory()
        self._most_windows = windows
        self._counts = Counts(client, horizon.days)
        self._anomalies = Anomalies(client, alert_rules, timedelta(days=horizon.days))
        self._stages = stages

    def steps(self, facts: Facts) -> Generator[Writes, None, None]:
        """The writes of rows that are derived, and of the progress; each to be written before what comes next.

        The progress is to be written when the rows of sessions are, too. At the end the memory takes all in.
        """
        self._forget(facts.forgotten)
        standings = _standings(facts)
        with self._stages("restore windows"):
            self._restore(facts, standings)
        with self._stages("products"):
            counted = self.windows.apply(facts.events, lambda missing: self._counts.windows(missing, standings))
        with self._stages("alerts"):
            watched = self._anomalies.derive(facts)
        yield of_step(DERIVED, {**_of_the_tick(facts), "speed_products": counted.rows, **watched.rows})
        yield of_step((PROGRESS,), {PROGRESS: _progress(facts)})
        with self._stages("remember windows"):
            self._remember(counted, watched)

    def _forget(self, dropped: Collection[tuple[str, int]]) -> None:
        for topic, partitions in by_topic(dropped):
            self._anomalies.forget(topic, partitions)
            if topic == USER_EVENTS:
                self.windows.forget(partitions)

    def _restore(self, facts: Facts, standings: Mapping[int, Standing]) -> None:
        """Of partitions that are first read, the counts of the latest windows; those of older ones are asked for."""
        since = {p: _recent(facts.before[USER_EVENTS, p]) for p in self.windows.unknown(standings)}
        if since:
            self.windows.restore(
                self._counts.since(since, standings), {p: milliseconds(time) for p, time in since.items()}
            )

    def _remember(self, counted: WindowChange, watched: Watched) -> None:
        self.windows.take_in(counted)
        if len(self.windows) > self._most_windows:
            self.windows.keep_newest(int(LEFT * self._most_windows))
        self._anomalies.take_in(watched)


def _standings(facts: Facts) -> dict[int, Standing]:
    return {
        tick.partition: Standing(tick.first, facts.before[tick.topic, tick.partition].hole_until)
        for tick in facts.ranges
        if tick.topic == USER_EVENTS
    }


def _recent(before: Progress) -> datetime:
    """From where on windows are read back at once: none of them has counts of records that the log has lost."""
    whole = datetime.combine(before.hole_until + timedelta(days=1), time(), UTC)
    if before.watermark is None:
        return whole
    since = (before.watermark - RECENT).timestamp() // WINDOW.total_seconds() * WINDOW.total_seconds()
    return max(whole, datetime.fromtimestamp(since, UTC))


def _of_the_tick(facts: Facts) -> dict[str, pl.DataFrame]:
    return {
        "speed_duplicates": facts.duplicates,
        "speed_dead_letters": facts.dead_letters,
        "speed_reach": facts.reach,
        **states.rows(facts.states),
    }


def _progress(facts: Facts) -> pl.DataFrame:
    rows = [progress.row(tick, facts.after[tick.topic, tick.partition], tick.last_append_time) for tick in facts.ranges]
    return pl.DataFrame(rows, schema=progress.PROGRESS_COLUMNS)
