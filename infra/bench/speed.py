"""What the speed layer does in a second, what an event costs by stage, and how the usual ways do beside it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from infra.bench import growth
from infra.bench.backlog import backlog
from infra.bench.freshness import freshness
from infra.bench.running import Report, Spent, answer, program, resident_mib, servers, stack, workers
from infra.bench.sending import WARM_EVENTS, count_applied, send
from infra.clients.clickhouse import connect, select
from infra.settings import Settings

_RATE_OF_A_WORKER = 60_000
"""What one worker is given where freshness is measured, and can do: beyond it there is a second one."""


@dataclass(frozen=True)
class SpeedOptions:
    """Sizes. `events` go through the whole function; `fold_events` through the fold alone; `others_seconds` bounds each
    of the apps that are compared (0 leaves them out); `rates` are the steady loads under which freshness is measured,
    for `rate_seconds` each, in a store of its own and in the one that has all `events`; `groups` and `products` are the
    sizes of memory and catalogue whose costs are compared, over `growth_events` each, or eight for each group, in the
    fold alone; `open_sessions` are the same for the whole function. What is done in a second is that of the first of
    `workers`."""

    events: int = 1_000_000
    fold_events: int = 500_000
    open_visits: int = 50_000
    others_seconds: float = 10.0
    rates: tuple[int, ...] = (10_000, 50_000)
    rate_seconds: float = 8.0
    workers: tuple[int, ...] = (1, 2)
    groups: tuple[int, ...] = (10_000, 50_000)
    open_sessions: tuple[int, ...] = (10_000, 50_000)
    products: tuple[int, ...] = (1_000, 100_000)
    growth_events: int = 1_000_000


FULL = SpeedOptions(
    events=5_000_000,
    fold_events=3_000_000,
    open_visits=200_000,
    others_seconds=30.0,
    rate_seconds=60.0,
    workers=(1, 2, 4),
    groups=(10_000, 200_000, 1_000_000, 2_000_000),
    open_sessions=(10_000, 2_000_000),
    products=(1_000, 100_000, 1_000_000),
)


def speed(options: SpeedOptions, home: Path, report: Report) -> dict[str, Any]:
    """All figures. Raises MeasurementFailed, StackError."""
    report("the fold alone")
    alone = growth.fold(options.fold_events, options.open_visits, 10_000)
    cores = os.cpu_count() or 1
    report(f"the fold alone, on {cores} cores")
    together = growth.fold(options.fold_events, options.open_visits, 10_000, cores)
    figures: dict[str, Any] = {"options": asdict(options), "load_average": [os.getloadavg()]}
    figures |= {"fold_on_one_core": alone, "fold": together}
    waiting = _backlog(options, home, report)
    with stack(home, report) as settings:
        figures |= _on_servers(settings, options, report, waiting["events_per_second"])
    figures["backlog"] = waiting
    figures |= _fresh(options, home, report)
    figures["fold_per_second"] = together["events_per_second"]
    figures["growth"] = {
        "workers": figures.pop("by_workers"),
        "open_sessions": growth.of_whole(options.open_sessions, home, report),
        **growth.of_fold(options.growth_events, options.groups, options.products, report),
    }
    figures["load_average"].append(os.getloadavg())
    return figures


def _backlog(options: SpeedOptions, home: Path, report: Report) -> dict[str, Any]:
    count = options.workers[0]
    report(f"a backlog of {options.events} events, {count} worker(s)")
    with stack(home, report) as settings:
        return backlog(settings, options.events, options.open_visits, count, seed=3_000)


def _on_servers(settings: Settings, options: SpeedOptions, report: Report, waiting: int) -> dict[str, Any]:
    """What takes a broker and a store: the whole function, freshness, and the others.

    `waiting`: what is done in a second where the generator has ended, as it has beside the others.
    """
    whole = {}
    for count in options.workers:
        report(f"the whole function, {count} worker(s), {options.events} events")
        whole[count] = _whole(settings, options, count)
        report(json.dumps(whole[count]))
    first = whole[options.workers[0]]
    full = {str(rate): _freshness(settings, options, rate, report) for rate in options.rates}
    others = _others(settings, options, report, first["events_per_second"], waiting)
    costs = {count: _cost(found) for count, found in whole.items()}
    return {**first, **others, "freshness_in_full_store": full, "by_workers": costs}


def _cost(whole: dict[str, Any]) -> dict[str, Any]:
    return {name: whole[name] for name in ("events_per_second", "cpu_us_per_event")}


def _whole(settings: Settings, options: SpeedOptions, count: int) -> dict[str, Any]:
    """Generator, broker, store and workers at once: from the first record sent to the last one applied."""
    client = connect(settings.clickhouse)
    with workers(settings, count) as running:
        send(settings, client, running, WARM_EVENTS, options.open_visits, seed=2 * count)
        before, spent = _stages(settings), Spent({"worker": running, **servers(settings)})
        made, ended = send(settings, client, running, options.events, options.open_visits, seed=2 * count + 1)
        cpu = spent.seconds() | {"generator": made["cpu"]}
        time.sleep(1.5)  # the worker tells its stages once a second
        stages = {name: used - before.get(name, 0.0) for name, used in _stages(settings).items()}
        memory = resident_mib(running)
    events = made["events"]
    stages["polars, fetch and rest"] = cpu["worker"] - sum(stages.values())
    return {
        "events_per_second": round(events / (ended - made["began"])),
        "produced_per_second": round(events / made["seconds"]),
        "cpu_us_per_event": {name: round(used / events * 1e6, 2) for name, used in cpu.items()},
        # With several workers these are of the one that wrote its status last.
        "cpu_us_by_stage": {name: round(used / events * 1e6, 2) for name, used in stages.items()} if count == 1 else {},
        "worker_mib": memory,
        "bytes_per_event": _bytes(settings, events + WARM_EVENTS) if count == options.workers[0] else {},
    }


def _stages(settings: Settings) -> dict[str, float]:
    status: dict[str, Any] = json.loads((settings.home / "run" / "worker.json").read_text())
    return dict(status["stages"])


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


def _others(settings: Settings, options: SpeedOptions, report: Report, ours: int, waiting: int) -> dict[str, Any]:
    """Per-event Faust and Quix Streams on the same topic, one after the other, each for some seconds.

    They read what is there already, and nothing else runs: `ratio_...` is of the whole function on a backlog, and
    `ratio_..._beside_generator` of the whole function with the generator on the same cores, which they are spared.
    """
    found: dict[str, Any] = {}
    for name in ("faust", "quix") if options.others_seconds else ():
        report(f"{name}, event by event")
        module = f"tests.benchmarks.per_event_{name}"
        with program(module, settings.kafka.bootstrap, settings.registry.url, options.others_seconds) as process:
            theirs = answer(process, options.others_seconds + 120)
        found[name] = theirs
        rate = theirs["events_per_second"]
        found[f"ratio_{name}"] = round(waiting / rate, 1) if rate else None
        found[f"ratio_{name}_beside_generator"] = round(ours / rate, 1) if rate else None
    return found


def _fresh(options: SpeedOptions, home: Path, report: Report) -> dict[str, Any]:
    """Each rate in a store of its own: what is stored, and open, then follows from the rate alone."""
    found: dict[str, Any] = {}
    for rate in options.rates:
        with stack(home, report) as settings:
            found[str(rate)] = _freshness(settings, options, rate, report)
    return {"freshness": found, "freshness_p99_ms": {rate: each["p99_ms"] for rate, each in found.items()}}


def _freshness(settings: Settings, options: SpeedOptions, rate: int, report: Report) -> dict[str, Any]:
    """Workers that have read back what is open, and have nothing left to do, are given the rate."""
    count = -(-rate // _RATE_OF_A_WORKER)
    report(f"freshness at {rate} events/s, {count} worker(s)")
    client = connect(settings.clickhouse)
    with workers(settings, count) as running:
        send(settings, client, running, WARM_EVENTS, options.open_visits, seed=1_000 + rate)
        stored = count_applied(client)
        return {**freshness(settings, rate, options.rate_seconds), "workers": count, "stored_before": stored}
