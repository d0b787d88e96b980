"""Faust as its tutorial has it: an agent that takes event by event, a table of sessions and one of windowed counts.

    python -m tests.benchmarks.per_event_faust <bootstrap> <registry url> <seconds>

Reads `user-events` from its beginning and prints {"events": n, "seconds": s, "events_per_second": r}.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import fastavro
import faust
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.registry import Registry
from schemas.topics import USER_EVENTS

MAKE_SECONDS = 30
WARM_EVENTS = 500
"""So many go by before the clock begins: partitions have been assigned for good by then."""


def make_changelogs(bootstrap: str, name: str) -> None:
    """Topics of the tables, without which the app waits for each event that it cannot write down."""
    topics = [
        NewTopic(f"{name}-{table}-changelog", USER_EVENTS.partitions, 1, config={"cleanup.policy": "compact"})
        for table in ("sessions", "views")
    ]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics(topics).values():
        made.result(MAKE_SECONDS)


def main(bootstrap: str, registry_url: str, seconds: float) -> None:
    registry = Registry(registry_url)
    parsed = {
        number: fastavro.parse_schema(json.loads(registry.resolve(number).text))  # type: ignore[union-attr]
        for number in registry.register(USER_EVENTS).values()
    }
    name = f"bench-faust-{uuid4().hex[:8]}"
    make_changelogs(bootstrap, name)
    app: Any = faust.App(
        name,
        broker=f"kafka://{bootstrap}",
        datadir=tempfile.mkdtemp(),
        store="memory://",
        web_enabled=False,
        topic_partitions=USER_EVENTS.partitions,
        consumer_auto_offset_reset="earliest",
    )
    topic = app.topic(USER_EVENTS.name, value_type=bytes, value_serializer="raw")
    sessions = app.Table("sessions", default=dict, partitions=USER_EVENTS.partitions)
    views = app.Table("views", default=int, partitions=USER_EVENTS.partitions).tumbling(timedelta(minutes=5))
    first: list[float] = []
    seen = -WARM_EVENTS

    @app.agent(topic)  # type: ignore[untyped-decorator]  # faust is untyped
    async def count(stream: Any) -> None:
        nonlocal seen
        async for value in stream:
            event: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), parsed[int.from_bytes(value[1:5], "big")])
            session = sessions[event["sessionId"]] or {"start": event["timestamp"], "events": 0}
            session["events"] += 1
            session["end"] = event["timestamp"]
            sessions[event["sessionId"]] = session
            product = event["properties"].get("productId")
            if product:
                views[product] += 1
            seen += 1
            now = time.monotonic()
            if seen < 0:
                continue
            if not first:
                first.append(now)
            elif now - first[0] > seconds:
                spent = now - first[0]
                figures = {"events": seen, "seconds": round(spent, 1), "events_per_second": round(seen / spent)}
                sys.stdout.write(json.dumps(figures) + "\n")
                sys.stdout.flush()
                os._exit(0)

    app.finalize()
    faust.Worker(app, loglevel="ERROR", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
