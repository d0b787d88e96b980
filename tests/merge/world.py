"""The whole system with the real code of both layers on the real store: a log, workers, landers, publishers, readers.

Every operation draws from a seed of its own, so that a schedule is a list of (operation, seed) and can be shrunk.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from batch.days import connected
from batch.fold import count_by_day, event_tables, fold_events, order_tables
from batch.publication import PublicationRefused, landed_until, new_version
from batch.publish import Candidate, compare, current_publications, load, publish
from batch.results import RESULT_TABLES
from infra.clients.clickhouse import insert
from schemas.frames import utc_day
from schemas.lateness import Horizon, is_publishable
from schemas.sessions import SessionRules
from schemas.tables.lake import to_arrow
from streams.engine import Engine
from streams.facts import Facts, joined
from streams.holes import WaitForPublication
from streams.records import Range, Records
from streams.slices import Slice
from streams.writes import SESSIONS, Writes
from tests.merge.frames import dead_letter_frame, event_frame, order_frame, time_of
from tests.merge.lake import Lake
from tests.merge.log import EVENT_LOGS, LOGS, ORDER_LOG, TheLog
from tests.merge.store import SPEED, Store
from tests.oracle.records import Log, LogRecord
from tests.oracle.records import utc_day as day_of_ms

HORIZON = Horizon(2)
RULES = SessionRules()
AHEAD = 3
"""Ticks that may wait for their second half."""
PATIENCE = 10
"""Ticks in a row that bring nothing, after which the worker is taken to wait: what it takes of each log is drawn."""
DATASETS = {"events": EVENT_LOGS, "orders": (ORDER_LOG,)}
NO_REACH = pl.DataFrame(schema={"log_partition": pl.Int32, "event_days": pl.List(pl.Date), "last_offset": pl.Int64})


def _no_slices(slices: Sequence[Slice]) -> Records:
    raise AssertionError("records are handed to the engine directly")


@dataclass
class Begun:
    """A tick that waits for its second half, with the writes of its sessions' rows."""

    facts: Facts
    reached: dict[Log, int]
    sessions: Iterator[str]


class Worker:
    """A worker: its engine, its position in each partition, and the ticks that it is in the middle of."""

    acks_first = False
    """Whether the offsets are committed before the rows are written, which is wrong."""
    spans_days = False
    """Whether a tick takes records of two append-time days of a partition, which is wrong."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.engine = Engine((world.store.client, world.store.client), _no_slices, RULES, HORIZON)
        self.position = dict(world.committed)
        self.incarnation = world.incarnation
        self.zombie = False
        self.beginning: Iterator[str] | None = None
        self.begun: list[Begun] = []
        self.finishing: Iterator[str] | None = None

    @property
    def is_idle(self) -> bool:
        return not (self.beginning or self.begun or self.finishing)

    def begin(self, rng: random.Random) -> Iterator[str]:
        """The first half of a tick; yields before every atomic write, so that a crash or a zombie can come between."""
        taken = {log: self._slice(log, rng.choice([0, 1, 1, 2, 3, 9, 99])) for log in LOGS}
        if not any(taken.values()):
            return
        records = self._records(taken)
        reached = {log: self.position[log] + len(part) for log, part in taken.items()}
        if self.acks_first:
            self._commit(reached)
        steps = self.engine.facts.steps(records)
        beside: Iterator[str] = iter(())
        try:
            while True:
                writes = next(steps)
                facts = self._written([each for each in writes if each.table != SESSIONS], rng)
                beside = self._written([each for each in writes if each.table == SESSIONS], rng)
                yield from _until_the_first_ends(facts, beside, rng)
        except WaitForPublication:
            return
        except StopIteration as ended:
            self.position = reached
            self.begun.append(Begun(ended.value, reached, beside))

    def finish(self, ticks: Sequence[Begun], rng: random.Random) -> Iterator[str]:
        """The second half of some ticks, and the commit. What is derived and the rows of sessions have no order."""
        steps = self.engine.derivation.steps(joined([tick.facts for tick in ticks]))
        writing = [self._written(next(steps), rng), *(tick.sessions for tick in ticks)]
        while writing:
            one = rng.choice(writing)
            if name := next(one, None):
                yield name
            else:
                writing.remove(one)
        for progress in steps:
            yield from self._written(progress, rng)
        yield "commit"
        self._commit(ticks[-1].reached)

    def _written(self, writes: Writes, rng: random.Random) -> Iterator[str]:
        for write in rng.sample(writes, len(writes)):
            for rows in _atomic_parts(write.rows, rng):
                yield write.table
                self.world.write(write.table, rows, self)

    def _commit(self, reached: dict[Log, int]) -> None:
        if not self.zombie and self.incarnation == self.world.incarnation:
            self.world.committed = dict(reached)

    def _slice(self, log: Log, limit: int) -> list[LogRecord]:
        records = self.world.log.records[log]
        start = self.position[log]
        end = min(len(records), start + limit)
        while (
            not self.spans_days
            and end > start
            and day_of_ms(records[end - 1].append_time_ms) != day_of_ms(records[start].append_time_ms)
        ):
            end -= 1
        return records[start:end]

    def _records(self, taken: dict[Log, list[LogRecord]]) -> Records:
        ranges = tuple(
            Range(
                log.topic,
                1,
                log.partition,
                part[0].offset,
                part[-1].offset + 1,
                time_of(part[0].append_time_ms),
                time_of(part[-1].append_time_ms),
            )
            for log, part in taken.items()
            if part
        )
        every = [record for part in taken.values() for record in part]
        return Records(ranges, event_frame(every), order_frame(every), dead_letter_frame(every))

    def step(self, rng: random.Random, steps: int) -> None:
        """So many steps, or until a second half is done or there is nothing to begin."""
        while steps:
            doing = self._choose(rng)
            if next(doing, None):
                steps -= 1
            elif doing is self.beginning:
                self.beginning = None
                if self.is_idle:
                    return
            elif doing is self.finishing:
                self.finishing = None
                return

    def _choose(self, rng: random.Random) -> Iterator[str]:
        """What goes on: a first half, rows of sessions, or a second half, of ticks that follow each other."""
        if self.begun and not self.finishing and rng.choice([False, True]):
            ticks = [self.begun.pop(0)]
            while self.begun and not self.begun[0].facts.forgotten and rng.choice([True, False]):
                ticks.append(self.begun.pop(0))
            self.finishing = self.finish(ticks, rng)
        if len(self.begun) < AHEAD and (not self.finishing or rng.choice([True, False])):
            self.beginning = self.beginning or self.begin(rng)
        going = [self.beginning, *(tick.sessions for tick in self.begun), self.finishing]
        return rng.choice([each for each in going if each])


def _until_the_first_ends(first: Iterator[str], second: Iterator[str], rng: random.Random) -> Iterator[str]:
    """Steps of both in an order that is drawn; of the second, those that come before the first ends."""
    while name := next(first, None):
        yield name
        while rng.choice([False, True]) and (other := next(second, None)):
            yield other


def _atomic_parts(rows: pl.DataFrame, rng: random.Random) -> list[pl.DataFrame]:
    """An insert is atomic within one partition of the table only; the order between partitions is not ours."""
    if "day" not in rows.columns:
        return [rows]
    parts = rows.partition_by("day", maintain_order=True)
    rng.shuffle(parts)
    return parts


class World:
    """All of it. `committed` is what Kafka keeps for the worker's group."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.log = TheLog(HORIZON.days)
        self.lakes = {dataset: Lake(logs) for dataset, logs in DATASETS.items()}
        self.committed = dict.fromkeys(LOGS, 0)
        self.written = dict.fromkeys(LOGS, 0)
        self.incarnation = 0
        self.worker = Worker(self)
        self.zombies: list[Worker] = []
        self.landers: list[Iterator[None]] = []
        self.jobs: list[Iterator[None]] = []
        self.refused = 0
        self.highest_cut: dict[tuple[str, date, int], int] = {}

    def write(self, table: str, rows: pl.DataFrame, worker: Worker) -> None:
        """What the store does with an insert: the fence of a wiped store keeps workers of the old one out."""
        if worker.incarnation != self.incarnation:
            return
        insert(self.store.client, table, rows)
        offset = next((name for name in ("as_of", "log_offset", "applied") if name in rows.columns), None)
        if offset:
            past = 0 if offset == "applied" else 1
            for log in LOGS:
                if (log == ORDER_LOG) == _is_of_orders(table, rows):
                    mine = rows.filter(pl.col("log_partition") == log.partition)
                    top = mine[offset].max()
                    if isinstance(top, int):
                        self.written[log] = max(self.written[log], top + past)

    # operations

    def produce(self, rng: random.Random) -> None:
        self.log.produce(rng)

    def clock(self, rng: random.Random) -> None:
        self.log.advance(rng)

    def tick(self, rng: random.Random) -> None:
        if not self.worker.is_idle:
            self.worker.step(rng, 999)
        self.worker.step(rng, 999)

    def part_of_tick(self, rng: random.Random) -> None:
        self.worker.step(rng, rng.randint(1, 7))

    def crash(self, rng: random.Random) -> None:
        self.worker = Worker(self)

    def pause(self, rng: random.Random) -> None:
        """The worker loses its partitions and does not know it; another takes over."""
        self.worker.zombie = True
        self.zombies = [*self.zombies[-1:], self.worker]
        self.worker = Worker(self)

    def resume(self, rng: random.Random) -> None:
        if self.zombies:
            rng.choice(self.zombies).step(rng, rng.randint(1, 7))

    def evict(self, rng: random.Random) -> None:
        """Each half forgets some of what it knows, between its ticks."""
        worker = rng.choice([self.worker, *self.zombies])
        memory, windows = worker.engine.facts.memory, worker.engine.derivation.windows
        if not worker.beginning:
            memory.sessions.keep(np.array([rng.random() < 0.5 for _ in range(len(memory.sessions.seen))], np.bool_))
            memory.orders.keep(np.array([rng.random() < 0.5 for _ in range(len(memory.orders))], np.bool_))
        if not worker.finishing:
            windows.keep_newest(len(windows) // 2)

    def land(self, rng: random.Random) -> None:
        for lake in self.lakes.values():
            for _ in lake.lander(self.log):
                pass

    def part_of_land(self, rng: random.Random) -> None:
        if not self.landers or (len(self.landers) < 2 and rng.random() < 0.4):
            self.landers.append(self.lakes[rng.choice(["events", "events", "orders"])].lander(self.log))
        lander = rng.choice(self.landers)
        if next(lander, self) is self:
            self.landers.remove(lander)
        if self.landers and rng.random() < 0.15:
            self.landers.pop(rng.randrange(len(self.landers)))

    def batch(self, rng: random.Random) -> None:
        for _ in self.job(rng):
            pass

    def part_of_batch(self, rng: random.Random) -> None:
        if len(self.jobs) < 3 and rng.random() < 0.5:
            self.jobs.append(self.job(rng))
        if self.jobs:
            job = rng.choice(self.jobs)
            if next(job, self) is self:
                self.jobs.remove(job)
        if self.jobs and rng.random() < 0.05:
            self.jobs.pop(rng.randrange(len(self.jobs)))

    def wipe(self, rng: random.Random) -> None:
        """The speed store is lost, and of the log only what has been landed is gone."""
        start = {}
        for lake in self.lakes.values():
            covered = lake.coverage(lake.head).end
            for log in lake.logs:
                start[log] = rng.randint(0, min(self.committed[log], covered.get(log.partition, 0)))
        if not any(start.values()):
            return
        self.store.clear(SPEED)
        self.incarnation += 1
        self.committed, self.written = start, dict(start)
        self.worker = Worker(self)

    # the batch layer

    def job(self, rng: random.Random) -> Iterator[None]:
        """Recomputes and publishes one day and what is connected; yields where it can die or be overtaken."""
        dataset = rng.choice(["events", "events", "orders"])
        lake = self.lakes[dataset]
        commits = lake.lineage(lake.head)
        if not commits:
            return
        commit = commits[-1] if rng.random() < 0.8 else rng.choice(commits)
        snapshot = commit.landing.snapshot_id
        coverage = lake.coverage(snapshot)
        ended = [day for day in self.days() if is_publishable(day, landed_until(coverage))]
        if ended:
            yield from self.recompute(dataset, {rng.choice(ended)}, snapshot, rng)

    def recompute(self, dataset: str, days: set[date], snapshot: int, rng: random.Random) -> Iterator[None]:
        lake, client = self.lakes[dataset], self.store.client
        coverage = lake.coverage(snapshot)
        records = lake.records(snapshot)
        self._record_landings(dataset)
        moving = frozenset(days)
        if dataset == "events":
            used, folded = fold_events(event_frame(records), RULES)
            moving = connected(days, folded, current_publications(client, dataset), landed_until(coverage))
            tables, reach = event_tables(used, folded, moving), folded
        else:
            tables, reach = order_tables(order_frame(records), moving), NO_REACH
        if not moving or not all(is_publishable(day, landed_until(coverage)) for day in moving):
            return
        version = new_version(snapshot, rng.randrange(1 << 16))
        yield
        for table, rows in tables.items():
            load(client, table, [to_arrow(rows, RESULT_TABLES[table])], version)
            yield
        compare(client, count_by_day(tables), moving, version)
        candidate = Candidate(dataset, moving, version, snapshot, coverage, RULES.definition, reach)
        try:
            publish(client, candidate, f"p{rng.randrange(1 << 40)}", HORIZON, time_of(self.log.clock))
        except PublicationRefused:
            self.refused += 1

    def _record_landings(self, dataset: str) -> None:
        """The lander's copy for the store: what each landing added, by day and partition."""
        for commit in self.lakes[dataset].lineage(self.lakes[dataset].head):
            frame = event_frame(commit.records) if dataset == "events" else order_frame(commit.records)
            time = "event_time" if dataset == "events" else "order_time"
            rows = frame.group_by("log_epoch", "log_partition", day=utc_day(time)).agg(
                records=pl.len(), first_offset=pl.col("log_offset").min(), last_offset=pl.col("log_offset").max()
            )
            insert(
                self.store.client,
                "batch_landings",
                rows.with_columns(
                    dataset=pl.lit(dataset),
                    snapshot_id=pl.lit(commit.landing.snapshot_id),
                    taken_at=pl.lit(commit.landing.taken_at).dt.cast_time_unit("ms"),
                ),
            )

    def days(self) -> list[date]:
        """Every day on which a record says that it happened."""
        return sorted({day_of_ms(r.value["timestamp"]) for r in self.log.all() if r.value})

    def settle(self) -> bool:
        """Lets the worker catch up; False if it waits for a publication."""
        rng = random.Random(0)
        self.worker.step(rng, 999)
        idle = 0
        while idle < PATIENCE:
            if self.worker.is_idle and all(self.worker.position[log] == len(self.log.records[log]) for log in LOGS):
                return True
            before = dict(self.worker.position)
            self.worker.step(rng, 999)
            idle = idle + 1 if before == self.worker.position and self.worker.is_idle else 0
        return False

    def is_settled(self) -> bool:
        """Whether nothing in the store lies past what the worker says it has applied."""
        return self.worker.is_idle and all(self.worker.position[log] >= self.written[log] for log in LOGS)


def _is_of_orders(table: str, rows: pl.DataFrame) -> bool:
    if "topic" in rows.columns:
        return bool((rows["topic"] == "transactions").any())
    return table.startswith("orders")
