"""How fast what waits in the log is worked off: the generator has ended before the clock begins."""

from __future__ import annotations

import time
from typing import Any

from infra.bench.running import workers
from infra.bench.sending import count_applied, generated, generating, wait_applied
from infra.clients.clickhouse import connect
from infra.settings import Settings


def backlog(settings: Settings, events: int, open_visits: int, count: int, seed: int) -> dict[str, Any]:
    """Events a second of so many workers, from the end of their first tick on, as apps beside which no generator runs.

    Raises MeasurementFailed.
    """
    client = connect(settings.clickhouse)
    with generating(events, open_visits, seed) as generator:
        made = generated(generator, events)
    before = count_applied(client)
    with workers(settings, count) as running:
        first, began = wait_applied(settings, client, before + 1, running), time.monotonic()
        events = wait_applied(settings, client, before + made["events"], running) - first
        seconds = time.monotonic() - began
    return {"workers": count, "events": events, "events_per_second": round(events / seconds)}
