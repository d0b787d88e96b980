"""What the speed layer does in a second, what an event costs by stage, and how the usual ways do beside it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from infra.bench.freshness import freshness
from infra.bench.running import MeasurementFailed, Report, Spent, answer, program, servers, stack, workers
from infra.clients.clickhouse import Client, connect, select
from infra.settings import Settings
from schemas.topics import USER_EVENTS

_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class SpeedOptions:
    """Sizes. `events` go through the whole function; `fold_events` through the fold alone; `others_seconds` bounds each
    of the apps that are compared (0 leaves them out); `rates` are the steady loads under which freshness is measured,
    for `rate_seconds` each; `groups` and `products` are the sizes of memory and catalogue whose costs are compared."""

    events: int = 500_000
    fold_events: int = 1_000_000
    open_visits: int = 50_000
    others_seconds: float = 15.0
    rates: tuple[int, ...] = (10_000, 50_000)
    rate_seconds: float = 15.0
    workers: tuple[int, ...] = (1, 2)
    groups: tuple[int, ...] = (10_000, 200_000)
    products: tuple[int, ...] = (1_000, 100_000)


FULL = SpeedOptions(
    events=5_000_000,
    fold_events=3_000_000,
    open_visits=200_000,
    others_seconds=30.0,
    rate_seconds=60.0,
    groups=(10_000, 200_000, 1_000_000, 2_000_000),
    products=(1_000, 100_000, 1_000_000),
)


def speed(options: SpeedOptions, home: Path, report: Report) -> dict[str, Any]:
    """All figures. Raises MeasurementFailed, StackError."""
    report("the fold alone")
    fold = _fold(options.fold_events, options.open_visits, 10_000)
    figures: dict[str, Any] = {"options": asdict(options), "fold": fold, "fold_per_second": fold["events_per_second"]}
    growth = figures["growth"] = {"workers": {}, "groups": {}, "products": {}}
    for count in options.workers:
        with stack(home, report) as settings:
            report(f"the whole function, {count} worker(s), {options.events} events")
            whole = _whole(settings, options, count)
            growth["workers"][count] = whole["events_per_second"]
            report(json.dumps(whole))
            if count == options.workers[0]:
                figures |= whole
                figures |= _others(settings, options, report, whole["events_per_second"])
                figures |= _freshness(settings, options, report)
    for groups in options.groups:
        report(f"the fold with {groups} open visits")
        growth["groups"][groups] = _short(_fold(max(400_000, 8 * groups), groups, 10_000))
    for products in options.products:
        report(f"the fold with {products} products")
        growth["products"][products] = _short(_fold(400_000, 50_000, products))
    figures["load_average"] = os.getloadavg()
    return figures


def _fold(events: int, groups: int, products: int) -> dict[str, Any]:
    with program("infra.bench.fold", "--events", events, "--open", groups, "--products", products) as process:
        return answer(process, 1_800)


def _short(fold: dict[str, Any]) -> dict[str, Any]:
    return {"cpu_us": fold["cpu_us"]["all"], "groups": fold["groups_in_memory"], "process_mib": fold["process_mib"]}


def _whole(settings: Settings, options: SpeedOptions, count: int) -> dict[str, Any]:
    """Generator, broker, store and workers at once: from the first record sent to the last one applied."""
    client = connect(settings.clickhouse)
    with workers(settings, count) as running:
        watched = {"worker": running, **servers(settings)}
        spent, began = Spent(watched), time.monotonic()
        with program("infra.bench.produce", "--events", options.events, "--open", options.open_visits) as generator:
            made = answer(generator, 60 + options.events / 1_000)
            produced = time.monotonic() - began
            _applied(settings, client, made["events"], running)
        seconds = time.monotonic() - began
        cpu = spent.seconds() | {"generator": made["cpu"]}
        time.sleep(1.5)  # the worker tells its stages once a second
        status = json.loads((settings.home / "run" / "worker.json").read_text())
        memory = max(process.memory_info().rss for process in running) >> 20
    events = made["events"]
    return {
        "events_per_second": round(events / seconds),
        "produced_per_second": round(events / produced),
        "cpu_us_per_event": {name: round(used / events * 1e6, 2) for name, used in cpu.items()},
        "cpu_us_by_stage": {name: round(used / events * 1e6, 2) for name, used in status["stages"].items()},
        "worker_mib": memory,
        "bytes_per_event": _bytes(settings, events),
    }


def _applied(settings: Settings, client: Client, events: int, running: list[psutil.Process]) -> None:
    """Waits until so many user events are applied; raises when nothing moves for a while."""
    sql = f"SELECT toInt64(sum(applied)) AS applied FROM speed_progress FINAL WHERE topic = '{USER_EVENTS.name}'"
    last, moved = -1, time.monotonic()
    while (applied := int(select(client, sql, {"applied": pl.Int64()})["applied"][0])) < events:
        if applied != last:
            last, moved = applied, time.monotonic()
        if time.monotonic() - moved > _PATIENCE_SECONDS or not all(process.is_running() for process in running):
            said = (settings.home / "workers.log").read_text()[-800:]
            raise MeasurementFailed(f"the workers stand at {applied} of {events} events: {said}")
        time.sleep(_POLL_SECONDS)


def _bytes(settings: Settings, events: int) -> dict[str, float]:
    """What an event takes on disk, in the store with all rows derived from it, and in the log by topic."""
    sql = (
        "SELECT table, toInt64(sum(bytes_on_disk)) AS bytes FROM system.parts"
        " WHERE active AND database = currentDatabase() GROUP BY table ORDER BY table"
    )
    admin = connect(settings.clickhouse, "admin")
    rows = select(admin, sql, {"table": pl.String(), "bytes": pl.Int64()}).rows()
    tables = {f"clickhouse {table}": size / events for table, size in rows if size > events}
    logs: dict[str, float] = {}
    for segment in (settings.home / "kafka" / "data").glob("*/*.log"):
        topic = segment.parent.name.rpartition("-")[0]
        if not topic.startswith("__"):
            logs[f"kafka {topic}"] = logs.get(f"kafka {topic}", 0.0) + segment.stat().st_size / events
    found = tables | {name: size for name, size in logs.items() if size > 1}
    return {name: round(size, 1) for name, size in found.items()}


def _others(settings: Settings, options: SpeedOptions, report: Report, ours: int) -> dict[str, Any]:
    """Per-event Faust and Quix Streams on the same topic, one after the other, each for some seconds."""
    found: dict[str, Any] = {}
    for name in ("faust", "quix") if options.others_seconds else ():
        report(f"{name}, event by event")
        module = f"tests.benchmarks.per_event_{name}"
        with program(module, settings.kafka.bootstrap, settings.registry.url, options.others_seconds) as process:
            theirs = answer(process, options.others_seconds + 120)
        found[name] = theirs
        rate = theirs["events_per_second"]
        found[f"ratio_{name}"] = round(ours / rate, 1) if rate else None
    return found


def _freshness(settings: Settings, options: SpeedOptions, report: Report) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for rate in options.rates:
        report(f"freshness at {rate} events/s")
        with workers(settings, 1):
            found[str(rate)] = freshness(settings, rate, options.rate_seconds)
    p99 = {rate: measured["p99_ms"] for rate, measured in found.items()}
    return {"freshness": found, "freshness_p99_ms": p99}
