"""Quix Streams as its documentation has it: decode, then a session window with a count, state in its store.

    python -m tests.benchmarks.per_event_quix <bootstrap> <registry url> <seconds>

Reads `user-events` from its beginning and prints {"events": n, "seconds": s, "events_per_second": r}.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
from typing import Any
from uuid import uuid4

import fastavro
from quixstreams import Application

from schemas.registry import Registry
from schemas.topics import USER_EVENTS

GAP_MS = 1_800_000
NOTHING_SECONDS = 30.0
"""After so long without a record it ends by itself."""


def main(bootstrap: str, registry_url: str, seconds: float) -> None:
    registry = Registry(registry_url)
    parsed = {
        number: fastavro.parse_schema(json.loads(registry.resolve(number).text))  # type: ignore[union-attr]
        for number in registry.register(USER_EVENTS).values()
    }
    app = Application(
        broker_address=bootstrap,
        consumer_group=f"bench-quix-{uuid4().hex[:8]}",
        auto_offset_reset="earliest",
        state_dir=tempfile.mkdtemp(),
        use_changelog_topics=False,
        loglevel="ERROR",
    )
    first: list[float] = []
    last: list[float] = [0.0]
    seen = 0

    def decode(value: bytes) -> Any:
        nonlocal seen
        seen += 1
        last[0] = time.monotonic()
        if not first:
            first.append(last[0])
        elif last[0] - first[0] > seconds:
            app.stop()
        return fastavro.schemaless_reader(io.BytesIO(value[5:]), parsed[int.from_bytes(value[1:5], "big")])

    topic = app.topic(USER_EVENTS.name, value_deserializer="bytes", key_deserializer="bytes")
    stream = app.dataframe(topic).apply(decode)
    stream.session_window(inactivity_gap_ms=GAP_MS).count().final()
    app.run(timeout=NOTHING_SECONDS, collect=False)
    spent = last[0] - first[0] if first else 0.0
    figures = {"events": seen, "seconds": round(spent, 1), "events_per_second": round(seen / spent) if spent else 0}
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
