"""Sends a workload to workers that run, and tells when they have applied it."""

from __future__ import annotations

import subprocess
import time
from contextlib import AbstractContextManager
from typing import Any

import polars as pl
import psutil

from infra.bench.running import MeasurementFailed, answer, program
from infra.clients.clickhouse import Client, select
from infra.settings import Settings
from schemas.topics import USER_EVENTS

WARM_EVENTS = 40_000
"""What goes through first and is not measured: parsers, databases and the servers' compilers are warm then."""

_STUCK_SECONDS = 60.0
_POLL_SECONDS = 0.25


def send(
    settings: Settings, client: Client, running: list[psutil.Process], events: int, open_visits: int, seed: int
) -> tuple[dict[str, Any], float]:
    """Sends events; answers what the generator tells, and the Unix time at which the workers had applied them all.

    Raises MeasurementFailed.
    """
    begin = count_applied(client)
    with generating(events, open_visits, seed) as generator:
        made = generated(generator, events)
    wait_applied(settings, client, begin + made["events"], running)
    return made, time.time()


def generating(events: int, open_visits: int, seed: int) -> AbstractContextManager[subprocess.Popen[str]]:
    """The generator, which sends as fast as it goes."""
    return program("infra.bench.produce", "--events", events, "--open", open_visits, "--seed", seed)


def generated(generator: subprocess.Popen[str], events: int) -> dict[str, Any]:
    """What the generator tells when it has sent so many events. Raises MeasurementFailed."""
    return answer(generator, _STUCK_SECONDS + events / 2_000)


def count_applied(client: Client) -> int:
    """User events applied by all workers so far."""
    sql = f"SELECT toInt64(sum(applied)) AS applied FROM speed_progress FINAL WHERE topic = '{USER_EVENTS.name}'"
    return int(select(client, sql, {"applied": pl.Int64()})["applied"][0])


def wait_applied(settings: Settings, client: Client, events: int, running: list[psutil.Process]) -> int:
    """Waits until so many user events are applied; answers how many are.

    Raises MeasurementFailed when a worker has ended or nothing moves for a while.
    """
    last, moved = -1, time.monotonic()
    while (applied := count_applied(client)) < events:
        if applied != last:
            last, moved = applied, time.monotonic()
        ended = any(process.status() == psutil.STATUS_ZOMBIE for process in running)
        if ended or time.monotonic() - moved > _STUCK_SECONDS:
            said = (settings.home / "workers.log").read_text()[-3_000:]
            raise MeasurementFailed(f"the workers stand at {applied} of {events} events: {said}")
        time.sleep(_POLL_SECONDS)
    return applied
