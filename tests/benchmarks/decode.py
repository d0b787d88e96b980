"""How fast user events are decoded: `python -m tests.benchmarks.decode`. Seconds of CPU, best of many slices."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import pyruhvro

from schemas.codec import decode_user_events, encode_record
from schemas.codec.bulk import _framed, guard_for
from schemas.subjects import subject
from tests.schemas.examples import IDS, schemas

COUNT, ROUNDS = 20_000, 60


def event(number: int, version: int) -> bytes:
    """A record of the usual size: about 210 bytes, three properties, eight events to a session and its address."""
    session = number % (COUNT // 8)
    record = {
        "eventId": f"e-{number * 2654435761 % 2**128:032x}",
        "userId": f"user-{session}" if session % 3 else None,
        "sessionId": f"sess-{session * 2654435761:016x}",
        "eventType": "click" if number % 2 else "page_view",
        "timestamp": 1_700_000_000_000 + number,
        "properties": {"productId": f"P{number}", "page": f"/product/{number}", "position": "3"},
        "context": {
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120",
            "ip": f"10.{session % 256}.{session // 256}.{session % 251}",
            "platform": "web",
            "referrer": "https://example.com/",
        },
    }
    more = (
        {"tenantId": "acme", "receivedAt": 1_700_000_000_000, "experiments": {"checkout": "b"}} if version > 1 else {}
    )
    return encode_record(record | more, subject("user-event").version(version), IDS["user-event", version])


def best(work: Callable[[], object]) -> float:
    """Microseconds of CPU for one record, in the fastest of `ROUNDS` runs."""
    spent = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent) / COUNT * 1e6


def main() -> None:
    """Print a line for each mixture of versions, and for the decoder under it."""
    known = schemas()
    for name, versions in {"v1": (1, 1), "v2": (2, 2), "mixed": (1, 2)}.items():
        values = [event(number, versions[number % 2]) for number in range(COUNT)]
        spent = best(partial(decode_user_events, values, known))
        sys.stdout.write(f"{name}: {len(values[0])} bytes, {spent:.2f} us an event, {1 / spent:.2f} M events/s\n")
    guarded = [event(number, 1) + guard_for(b"") for number in range(COUNT)]
    alone = best(lambda: pyruhvro.deserialize_array(guarded, _framed(subject("user-event").version(1).type)))
    sys.stdout.write(f"pyruhvro alone: {alone:.2f} us an event\n")


if __name__ == "__main__":
    main()
