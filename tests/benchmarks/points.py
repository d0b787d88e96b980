"""Latency of point reads: ``python -m tests.benchmarks.points [reads]`` on a stack that is up; prints one JSON object.

Writes a few hundred rows under a tenant of its own, then reads them one at a time, from Cassandra and over HTTP.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from infra.clients.cassandra import opened
from infra.settings import load_settings
from serving.points.reading import PointReads
from serving.points.rows import writes
from tests.serving.points.messages import group, session

KEYS = 300


def main(reads: int = 1000) -> None:
    settings, now = load_settings(), datetime.now(UTC)
    start = round(now.timestamp() * 1000)
    points = opened(settings.cassandra, settings.cassandra.keyspace)
    rows = [group(f"bench-{n}", n, session(start), tenantId="bench", day=now.date()) for n in range(KEYS)]
    for statement, made in writes([(topic.name, record) for topic, record in rows], now).rows.items():
        points.write(statement, made)
    reader = PointReads(lambda: points)
    key = {"X-API-Key": settings.api.key.get_secret_value()}
    with httpx.Client(base_url=f"http://{settings.api.host}:{settings.api.port}", headers=key, timeout=30) as client:

        def over_http(n: int) -> Any:
            time.sleep(0.01)  # Below the key's share of requests, whose refusals would be fast.
            answer = client.get(f"/v1/points/sessions/bench-{n % KEYS}?tenant=bench")
            assert answer.json()["provenance"]["source"] == "cassandra", answer.text
            return answer.elapsed.total_seconds()

        def inside(n: int) -> float:
            began = time.perf_counter()
            assert reader.sessions("bench", f"bench-{n % KEYS}")
            return time.perf_counter() - began

        result = {**_measured("inside", inside, reads), **_measured("http", over_http, reads // 2)}
    sys.stdout.write(json.dumps(result | {"load": os.getloadavg()[0]}) + "\n")
    points.close()


def _measured(name: str, read: Callable[[int], float], reads: int) -> dict[str, float]:
    for n in range(20):
        read(n)
    took = sorted(read(n) * 1000 for n in range(reads))
    return {f"{name}_p50_ms": round(took[reads // 2], 2), f"{name}_p99_ms": round(took[int(reads * 0.99)], 2)}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
