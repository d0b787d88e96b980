"""Events per second through the gate of one API process, over HTTP and acknowledged by Kafka.

``python -m tests.benchmarks.gate [batch] [batches] [connections]`` on a stack that is up; prints one JSON object. The
client runs on the same machine, so the figure is a lower bound.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil

from infra.settings import load_settings
from infra.stack.processes import leader


def main(size: int = 1000, batches: int = 100, connections: int = 4) -> None:
    settings = load_settings()
    api = leader(settings.home, "api")
    assert api is not None, "start the stack first: rivermeet up"
    headers = {"X-API-Key": settings.api.key.get_secret_value(), "Content-Type": "application/json"}
    now, run = round(time.time() * 1000), os.getpid()
    bodies = [json.dumps({"events": [_event(now, run, batch, n) for n in range(size)]}) for batch in range(batches)]
    client = httpx.Client(
        base_url=f"http://{settings.api.host}:{settings.api.port}",
        headers=headers,
        timeout=30,
        limits=httpx.Limits(max_connections=connections),
    )
    client.post("/v1/events", content=json.dumps({"events": [_event(now, run, -1, 0)]})).raise_for_status()
    used = _cpu(api)
    began = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        answers = list(pool.map(lambda body: client.post("/v1/events", content=body), bodies))
    seconds = time.perf_counter() - began
    accepted = sum(answer.json().get("accepted", 0) for answer in answers)
    latencies = sorted(answer.elapsed.total_seconds() * 1000 for answer in answers)
    result = {
        "events_per_second": round(accepted / seconds),
        "accepted": accepted,
        "sent": size * batches,
        "api_cpu_us_per_event": round((_cpu(api) - used) / accepted * 1e6, 1),
        "batch_p50_ms": round(latencies[len(latencies) // 2], 1),
        "batch_p99_ms": round(latencies[int(len(latencies) * 0.99)], 1),
        "load": os.getloadavg()[0],
    }
    sys.stdout.write(json.dumps(result) + "\n")


def _event(now: int, run: int, batch: int, n: int) -> dict[str, object]:
    return {
        "eventId": f"bench-{run}-{batch}-{n}",
        "userId": f"u-{n % 97}",
        "sessionId": f"bench-session-{run}-{batch}-{n % 50}",
        "eventType": "page_view",
        "timestamp": now + n,
        "properties": {"page": f"/product/{n % 300}", "productId": f"P-{n % 300}"},
        "context": {
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0",
            "ip": "203.0.113.7",
            "platform": "web",
            "referrer": "https://search.example/",
        },
    }


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
