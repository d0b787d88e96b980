"""``rivermeet bench batch``: a generated day through landing, recompute and publication, beside a plain Spark job.

Servers of its own run in a folder of its own. The day is measured twice, once with half of its events, so that what
grows faster than the events shows.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka.admin import AdminClient, NewTopic

from batch.datasets import DATASETS, Dataset
from batch.lake import files_of, load_table
from batch.plain import plain_recompute
from batch.steps import Steps, open_steps
from infra.bench.produce import make_producer, send
from infra.bench.running import MeasurementFailed, stack
from infra.bench.workload import Workload, WorkloadSize
from infra.settings import Settings
from infra.stack.processes import find
from schemas.lateness import start_of
from schemas.registry import Registry
from schemas.topics import TRANSACTIONS, USER_EVENTS

BLOCK = 100_000
APART = timedelta(days=3)
"""Between the days of the sizes, so that no session connects them: each has a log and a lake of its own."""
DAY_SECONDS = 80_000
"""Event time that the day's events are spread over, so that late ones stay within the day."""


@dataclass
class Spent:
    """What a stretch of work took."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of this process and all that it started, but not of the servers."""
    peak_mb: float = 0.0

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.cpu_seconds:.1f} s of CPU, {self.peak_mb:.0f} MB"


@dataclass
class Measured:
    """One size of the day."""

    events: int
    land: Spent
    recompute: Spent
    publish: Spent
    cpu_us_per_event: dict[str, float] = field(default_factory=dict)
    bytes_per_event: float = 0.0
    files: int = 0

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.land.seconds + self.recompute.seconds + self.publish.seconds


def measure(home: Path, events: int, plain_events: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Runs all of it in `home`, which is wiped afterwards; answers the figures."""
    with stack(home, report) as settings:
        newest = datetime.now(UTC).date() - timedelta(days=2)
        half = _measure(settings, "half", events // 2, newest - APART, report)
        whole = _measure(settings, "whole", events, newest, report)
        ratio = _compare(settings, plain_events, newest - 2 * APART, report)
    return {
        "events": whole.events,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "land_per_second": round(whole.events / whole.land.seconds),
        "recompute_seconds": round(whole.recompute.seconds, 2),
        "recompute_per_second": round(whole.events / whole.recompute.seconds),
        "publish_per_second": round(whole.events / whole.publish.seconds),
        "growth_2x": round(whole.seconds / half.seconds, 2),
        "peak_memory_mb": round(max(one.peak_mb for one in (whole.land, whole.recompute, whole.publish))),
        "bytes_per_event": round(whole.bytes_per_event, 1),
        "files": whole.files,
        "cpu_us_per_event": whole.cpu_us_per_event,
        **ratio,
    }


def _measure(settings: Settings, name: str, events: int, day: date, report: Callable[[str], None]) -> Measured:
    sent = _send(settings, name, events, day)
    report(f"{name}: {sent} events sent")
    with _steps(settings, name) as steps:
        dataset = _dataset(name)
        steps.spark.sparkContext.parallelize([0], 1).count()
        spent = {stage: Spent() for stage in ("land", "recompute", "publish")}
        with _watched(settings.home, spent["land"]):
            landed = steps.land(dataset, chunk=2_000_000, accept_loss=False)
        report(f"{name}: landed in {spent['land']}")
        with _watched(settings.home, spent["recompute"]):
            run = steps.recompute(dataset, [day], landed.snapshot_id)
        report(f"{name}: recomputed in {spent['recompute']}")
        with _watched(settings.home, spent["publish"]):
            steps.publish(dataset, day, run.run)
        report(f"{name}: published in {spent['publish']}")
        files = files_of(load_table(steps.catalog, dataset.table), landed.snapshot_id)
        return Measured(
            events=sent,
            **spent,
            cpu_us_per_event={
                **{f"land_{stage}": round(cpu / sent * 1e6, 2) for stage, cpu in landed.cpu_seconds.items()},
                **{stage: round(one.cpu_seconds / sent * 1e6, 2) for stage, one in spent.items()},
            },
            bytes_per_event=sum(file.size for file in files) / max(1, sum(file.rows for file in files)),
            files=len(files),
        )


def _compare(settings: Settings, events: int, day: date, report: Callable[[str], None]) -> dict[str, Any]:
    """Both ways of a recompute on the same lake and in the same Spark session, each after Spark has run once.

    Raises `MeasurementFailed` if they disagree on how many rows the day has.
    """
    _send(settings, "plain", events, day)
    ours, plain = Spent(), Spent()
    with _steps(settings, "plain") as steps:
        dataset = _dataset("plain")
        landed = steps.land(dataset, chunk=2_000_000, accept_loss=False)
        forced = replace(steps.workers, inline_rows=0)
        steps.spark.range(1000).repartition(2).count()
        with _watched(settings.home, plain):
            rows = plain_recompute(steps.spark, day, steps.rules, f"{settings.home}/plain")
        steps.__dict__["workers"] = forced
        with _watched(settings.home, ours):
            run = steps.recompute(dataset, [day], landed.snapshot_id)
        same = {table: steps.results.rows_by_day(run, table)[day] for table in rows}
    if rows != same:
        raise MeasurementFailed(f"the plain job made {rows} of {day}, we made {same}")
    report(f"plain: {plain.seconds:.1f} s, ours {ours.seconds:.1f} s for {events} events")
    return {
        "recompute_ratio": round(plain.seconds / ours.seconds, 2),
        "plain": {"events": events, "plain_seconds": round(plain.seconds, 2), "our_seconds": round(ours.seconds, 2),
                  "rows": rows},
    }  # fmt: skip


def _send(settings: Settings, name: str, events: int, day: date) -> int:
    """A day's events into a topic of their own; answers how many that were, repeated ones included."""
    topic = _dataset(name).topic
    admin = AdminClient(settings.kafka.client_config())
    made = admin.create_topics([NewTopic(topic.name, topic.partitions, 1, config=topic.config())])
    for one in made.values():
        one.result(30)
    registry = Registry(settings.registry.url)
    topics = (USER_EVENTS, TRANSACTIONS)
    ids = {(one.subject or "", version): found for one in topics for version, found in registry.register(one).items()}
    size = WorkloadSize(events, events_per_second=events / DAY_SECONDS, open_visits=max(100, events // 500))
    begin = int(start_of(day).timestamp() * 1000)
    partitions = {USER_EVENTS.name: USER_EVENTS.partitions, TRANSACTIONS.name: TRANSACTIONS.partitions}
    producer = make_producer(settings.kafka)
    sent = 0
    for block in Workload(size, 1, begin, ids, partitions).blocks(BLOCK):
        if block.topic == USER_EVENTS.name:
            send(producer, replace(block, topic=topic.name))
            sent += len(block)
    if left := producer.flush(120):
        raise MeasurementFailed(f"{left} events were not taken by Kafka within two minutes")
    return sent


def _dataset(name: str) -> Dataset:
    """Events from a topic of the benchmark's own."""
    return replace(DATASETS["events"], topic=replace(USER_EVENTS, name=f"bench-{name}"))


@contextmanager
def _steps(settings: Settings, name: str) -> Iterator[Steps]:
    """The steps with a lake of their own."""
    folder = settings.home / "lake" / name
    lake = settings.lake.model_copy(
        update={"catalog_uri": f"jdbc:sqlite:{folder}/catalog.db", "warehouse": f"{folder}/warehouse"}
    )
    with open_steps(settings.model_copy(update={"lake": lake})) as steps:
        yield steps


@contextmanager
def _watched(home: Path, spent: Spent) -> Iterator[None]:
    """Measures what happens meanwhile."""
    servers = {process.pid for running in find(home).values() for process in running.members}
    done = threading.Event()
    before = _cpu(_ours(servers))
    seen = dict(before)

    def watch() -> None:
        while not done.wait(0.2):
            ours = _ours(servers)
            spent.peak_mb = max(spent.peak_mb, sum(_memory(one) for one in ours))
            # Spark ends workers that idle, and nobody is told what they had used.
            seen.update(_cpu(ours))

    watcher, begun = threading.Thread(target=watch, daemon=True), time.perf_counter()
    watcher.start()
    try:
        yield
    finally:
        spent.seconds = time.perf_counter() - begun
        done.set()
        watcher.join()
        seen.update(_cpu(_ours(servers)))
        spent.cpu_seconds = sum(used - before.get(pid, 0.0) for pid, used in seen.items())


def _ours(servers: set[int]) -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *(one for one in me.children(recursive=True) if one.pid not in servers)]


def _memory(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 2**20
    except psutil.NoSuchProcess:
        return 0.0


def _cpu(processes: Iterable[psutil.Process]) -> dict[int, float]:
    """Seconds of CPU by process, of those that are there."""
    spent = {}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent[process.pid] = times.user + times.system
    return spent
