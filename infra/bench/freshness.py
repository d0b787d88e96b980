"""How long it takes from an event to the merged view, under a steady load."""

from __future__ import annotations

import time
from random import Random
from typing import Any

import numpy as np
import polars as pl
from confluent_kafka import Producer

from infra.bench.running import answer, program
from infra.clients.clickhouse import Client, connect, select
from infra.settings import Settings
from schemas.codec import encode_record
from schemas.partitioner import partition_for
from schemas.registry import Registry
from schemas.subjects import subject
from schemas.topics import USER_EVENTS

_SETTLE_SECONDS = 5.0
_EVERY_SECONDS = 0.1, 0.4
"""Drawn anew each time, so that no period of the worker is met always at the same point."""
_POLL_SECONDS, _POLL_SHARE = 0.04, 0.05
"""The store is looked at so often, or less: every twentieth of what the oldest event has waited."""
_SOONEST_SECONDS = 0.1
"""It is not looked at for younger events alone: the broker may hold a fetch for as long."""
_LOST_SECONDS = 30.0
_TENANT = "freshness"
_STORED = """
SELECT session_id FROM speed_sessions WHERE tenant_id = %(tenant)s AND session_id IN %(ids)s SETTINGS max_threads = 1
"""
_SEEN = """
SELECT session_id FROM sessions_by_id
WHERE tenant_id = %(tenant)s AND session_id IN %(ids)s AND day = toDate(now('UTC'))
"""


def freshness(settings: Settings, rate: int, seconds: float) -> dict[str, Any]:
    """p50 and p99 (ms) from the time of an event, which is when it is sent, to its session's row in `sessions_by_id`.

    Four times a second a session of one event is sent beside the load. The view is asked for those not yet seen
    whenever the store has a row of one of them, which a look at its key tells: to ask the view more often would be a
    load of its own, at 30 ms of CPU a question. An age ends with the view's answer.
    """
    events = round(rate * (seconds + _SETTLE_SECONDS))
    with program("infra.bench.produce", "--events", events, "--rate", rate, "--seed", 100 + rate) as generator:
        probe = _Probe(settings)
        time.sleep(_SETTLE_SECONDS)
        ages = probe.run(seconds)
        made = answer(generator, 120 + seconds)
    if not ages:
        return {"p50_ms": None, "p99_ms": None, "probes": 0}
    return {
        "p50_ms": round(float(np.percentile(ages, 50))),
        "p99_ms": round(float(np.percentile(ages, 99))),
        "probes": len(ages),
        "sent_per_second": round(made["events"] / made["seconds"]),
    }


class _Probe:
    """Sends events and looks for them."""

    def __init__(self, settings: Settings) -> None:
        self._store, self._analyst = connect(settings.clickhouse), connect(settings.clickhouse, "analyst")
        self._producer = Producer(settings.kafka.client_config() | {"acks": "all", "linger.ms": 0, "log_level": 0})
        self._schema = subject("user-event").latest
        self._schema_id = Registry(settings.registry.url).register(USER_EVENTS)[self._schema.version]
        self._partitions = settings.partitions.get(USER_EVENTS.name, USER_EVENTS.partitions)
        self._run = f"{time.time_ns():x}"
        self._draw = Random(0)  # noqa: S311 - nothing secret
        self._waiting: dict[str, float] = {}

    def run(self, seconds: float) -> list[float]:
        """Milliseconds that each event took; those that never came count as what was waited."""
        ages: list[float] = []
        began = due = time.monotonic()
        while (now := time.monotonic()) < began + seconds or self._waiting:
            if now >= due and now < began + seconds:
                due += self._draw.uniform(*_EVERY_SECONDS)
                self._send()
            if self._oldest() >= _SOONEST_SECONDS and self._ask(self._store, _STORED):
                ages += self._seen()
            if now > began + seconds + _LOST_SECONDS:
                return ages + [_LOST_SECONDS * 1_000] * len(self._waiting)
            time.sleep(max(_POLL_SECONDS, _POLL_SHARE * self._oldest()))
        return ages

    def _oldest(self) -> float:
        """For how many seconds the oldest event has waited."""
        return time.time() - min(self._waiting.values(), default=time.time())

    def _send(self) -> None:
        session, now = f"{self._run}-{time.monotonic_ns():x}", time.time()
        context = {"userAgent": "probe", "ip": "10.0.0.1", "platform": "web", "referrer": None}
        record = {
            "eventId": session,
            "userId": None,
            "sessionId": session,
            "eventType": "page_view",
            "timestamp": round(now * 1_000),
            "properties": {"page": "/"},
            "context": context,
            "tenantId": _TENANT,
            "receivedAt": None,
            "experiments": {},
        }
        value = encode_record(record, self._schema, self._schema_id)
        place = partition_for(session.encode(), self._partitions)
        self._producer.produce(USER_EVENTS.name, value, session, place)
        self._producer.poll(0)
        self._waiting[session] = now

    def _seen(self) -> list[float]:
        found, now = self._ask(self._analyst, _SEEN), time.time()
        return [(now - self._waiting.pop(session)) * 1_000 for session in found]

    def _ask(self, client: Client, sql: str) -> list[str]:
        """Which of the sessions not yet seen the answer names; there are some."""
        parameters = {"tenant": _TENANT, "ids": list(self._waiting)}
        return select(client, sql, {"session_id": pl.String()}, parameters)["session_id"].to_list()
