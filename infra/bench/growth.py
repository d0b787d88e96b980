"""What an event costs as there are more open sessions and products: in the fold alone, and in the whole function."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.bench.running import Report, Spent, answer, program, resident_mib, servers, stack, workers
from infra.bench.sending import WARM_EVENTS, count_applied, generated, generating, send, wait_applied
from infra.clients.clickhouse import connect
from infra.settings import Settings

WORKERS = 2
"""Of the whole function: of two million sessions each has half, and keeps them in memory."""

EVENTS_OF_A_VISIT = 8
"""As many are sent for each visit of the largest size, so that in the second half so many are open."""

_LEAST_EVENTS = 2_000_000
"""Of the whole function: workers apply by the hundred thousand, and in the half that is measured there must be many."""

_FOLD_SECONDS = 300.0


def fold(events: int, open_visits: int, products: int, processes: int = 1) -> dict[str, Any]:
    """What `infra.bench.fold` prints."""
    arguments = ("--events", events, "--open", open_visits, "--products", products, "--processes", processes)
    with program("infra.bench.fold", *arguments) as process:
        return answer(process, _FOLD_SECONDS + events / 1_000)


def of_fold(events: int, groups: Sequence[int], products: Sequence[int], report: Report) -> dict[str, Any]:
    """Size -> what an event costs: `groups` by open visits, `products` by the size of the catalogue."""
    by_groups, by_products = {}, {}
    for size in groups:
        report(f"the fold with {size} open visits")
        by_groups[size] = _short(fold(max(events, EVENTS_OF_A_VISIT * size), size, 10_000))
    for size in products:
        report(f"the fold with {size} products")
        by_products[size] = _short(fold(events, 50_000, size))
    return {"groups": by_groups, "products": by_products}


def of_whole(sizes: Sequence[int], home: Path, report: Report) -> dict[int, dict[str, Any]]:
    """Open visits -> what an event costs the workers and servers, over the second half of a run.

    Each size has an empty store, and the same number of events, for what merges cost follows what is stored.
    Raises MeasurementFailed, StackError.
    """
    found, events = {}, max(_LEAST_EVENTS, EVENTS_OF_A_VISIT * max(sizes))
    for size in sizes:
        report(f"the whole function with {size} open visits, {WORKERS} workers, {events} events")
        with stack(home, report) as settings:
            found[size] = _second_half(settings, events, size)
    return found


def _second_half(settings: Settings, events: int, open_visits: int) -> dict[str, Any]:
    client = connect(settings.clickhouse)
    with workers(settings, WORKERS) as running:
        send(settings, client, running, WARM_EVENTS, open_visits, seed=1)
        begin = count_applied(client)
        with generating(events, open_visits, seed=2) as generator:
            half = wait_applied(settings, client, begin + events // 2, running)
            spent, began = Spent({"worker": running, **servers(settings)}), time.time()
            made = generated(generator, events)
            end = wait_applied(settings, client, begin + made["events"], running)
        seconds = time.time() - began
        cost = {name: used / (end - half) * 1e6 for name, used in spent.seconds().items()}
        memory = resident_mib(running)
    rounded = {name: round(used, 2) for name, used in cost.items()}
    return {
        "events_per_second": round((end - half) / seconds),
        "cpu_us": {**rounded, "all": round(sum(cost.values()), 2)},
        "worker_mib": memory,
    }


def _short(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        "cpu_us": figures["cpu_us"]["all"],
        "groups": figures["groups_in_memory"],
        "process_mib": figures["process_mib"],
    }
