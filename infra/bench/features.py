"""The feature store's figures: how quick a read is, how much the push takes in, and how old a value is when served."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from infra.messages import Message
from infra.send import Sender
from infra.settings import Settings, load_settings
from infra.stack.run import down, up
from schemas.topics import SESSION_METRICS

_Pending = list[tuple[int, int, float]]
"""User, event time in milliseconds, when it was sent."""

TENANT = "bench"
SERVERS = ("cassandra", "tables", "topics", "schemas", "features", "feature-push")
BEHAVIOUR, REST = 16, ("user_live:live_session_views", "user_live:live_cart_items", "user_recent:last_seen")
SAMPLE_EVERY, PATIENCE_S, POLL_S = 50, 60.0, 0.005
BURST_POLL_S = 0.05
"""Between looks at the end of a burst: a reader that never rests takes one of two cores from what is measured."""
_MS = 1000


@dataclass(frozen=True)
class Size:
    """How much is measured: users, single reads, reads of 100, seconds at `rate` updates a second, and a burst.

    `cold` seconds go before those and are told apart: the servers' compilers are at work then, as after any start.
    """

    users: int = 2_000
    reads: int = 1_000
    many: int = 100
    cold: int = 5
    seconds: int = 20
    rate: int = 1_000
    burst: int = 20_000


def measure(home: Path, size: Size, report: Callable[[str], None]) -> dict[str, Any]:
    """Figures on a stack of its own, which is gone afterwards. Times in milliseconds."""
    try:
        up(home, SERVERS, report)
        return _measured(load_settings(home), size, report)
    finally:
        down(home, wipe=True)


def _measured(settings: Settings, size: Size, report: Callable[[str], None]) -> dict[str, Any]:
    from feature_store.config import close, open_store

    store = open_store(settings)
    try:
        report(f"writing {size.users} users")
        _seed(store, size.users)
        references = _references()
        report("reading in the process")
        one = [_timed(partial(_read, store, references, [n % size.users])) for n in range(size.reads)]
        many = [_timed(partial(_read, store, references, range(n, n + 100))) for n in range(size.many)]
        report("reading over HTTP")
        http = list(_over_http(settings, references, size))
        report(f"pushing {size.rate} updates a second for {size.cold + size.seconds} s")
        cold, fresh = _freshness(settings, store, size)
        report(f"pushing {size.burst} updates at once")
        pushed = _burst(settings, store, size)
    finally:
        close(store)
    return {
        **_quantiles("online_1x20", one),
        **_quantiles("online_100x20", many),
        **_quantiles("http_1x20", http),
        **_quantiles("freshness", fresh),
        **_quantiles("freshness_cold", cold),
        "push_per_second": round(pushed),
        "updates_per_second_offered": size.rate,
        "load_average": os.getloadavg()[0],
        "cores": os.cpu_count(),
    }


def _quantiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {f"{name}_p50_ms": round(cuts[49] * _MS, 2), f"{name}_p99_ms": round(cuts[98] * _MS, 2)}


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _references() -> list[str]:
    """Twenty features of three views."""
    from feature_store.catalogue import USER_BEHAVIOUR

    behaviour = [f"user_behaviour:{feature.name}" for feature in USER_BEHAVIOUR.features[:BEHAVIOUR]]
    return [*behaviour, *REST, "user_recent:last_category"]


def _seed(store: Any, users: int) -> None:
    from feature_store.catalogue import VIEWS
    from feature_store.writing import OnlineRow, OnlineWriter

    online, at = OnlineWriter(store), int(time.time() * _MS) - 60_000
    for view in (VIEWS[name] for name in ("user_behaviour", "user_live", "user_recent")):
        online.write(view.name, [OnlineRow((TENANT, f"u{n}"), at, at, view.defaults) for n in range(users)])


def _rows(users: Sequence[int]) -> list[dict[str, str]]:
    return [{"tenant_id": TENANT, "user_id": f"u{n}"} for n in users]


def _read(store: Any, references: list[str], users: Sequence[int]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = store.get_online_features(features=references, entity_rows=_rows(users)).to_dict()
    return found


def _over_http(settings: Settings, references: list[str], size: Size) -> Iterator[float]:
    address = f"http://{settings.features.host}:{settings.features.port}"
    with httpx.Client(base_url=address, timeout=PATIENCE_S, trust_env=False) as client:

        def ask(user: int) -> None:
            entities = {"tenant_id": [TENANT], "user_id": [f"u{user}"]}
            body = {"features": references, "entities": entities}
            client.post("/get-online-features", json=body).raise_for_status()

        for n in range(size.reads):
            yield _timed(partial(ask, n % size.users))


def _freshness(settings: Settings, store: Any, size: Size) -> tuple[list[float], list[float]]:
    """Of every fiftieth update the time from handing it to Kafka until a reader of the online store sees it: of those
    of the first seconds, and of the rest."""
    sender = Sender(settings)
    waited: list[tuple[float, float]] = []
    pending: _Pending = []
    began = time.monotonic()
    for n in range(size.rate * (size.cold + size.seconds)):
        _wait_until(began + n / size.rate)
        event = int(time.time() * _MS)
        sender.send(update(TENANT, n % size.users, event, n))
        if n % SAMPLE_EVERY == 0:
            pending.append((n % size.users, event, time.monotonic()))
        if n % (SAMPLE_EVERY // 2) == 0:
            pending = _seen(store, pending, waited)
    sender.finish()
    deadline = time.monotonic() + PATIENCE_S
    while pending and time.monotonic() < deadline:
        pending = _seen(store, pending, waited)
        time.sleep(POLL_S)
    waited += [(sent, PATIENCE_S) for _, _, sent in pending]
    warm = began + size.cold
    return [wait for sent, wait in waited if sent < warm], [wait for sent, wait in waited if sent >= warm]


def _seen(store: Any, pending: _Pending, waited: list[tuple[float, float]]) -> _Pending:
    """Those that are not served yet; of the others when each was sent and how long that took goes to `waited`."""
    if not pending:
        return pending
    found = _read(store, ["user_recent:last_seen"], [user for user, _, _ in pending])["last_seen"]
    now, left = time.monotonic(), []
    for one, last_seen in zip(pending, found, strict=True):
        if (last_seen or 0) >= one[1]:
            waited.append((one[2], now - one[2]))
        else:
            left.append(one)
    return left


def _burst(settings: Settings, store: Any, size: Size) -> float:
    """Updates a second, each of another user, from the first record until the last is served."""
    sender, event = Sender(settings), int(time.time() * _MS)
    began = time.monotonic()
    for n in range(size.burst):
        sender.send(update(TENANT, n, event, n))
    sender.finish()
    last = range(size.burst - 100, size.burst)
    while time.monotonic() < began + PATIENCE_S:
        if all((seen or 0) >= event for seen in _read(store, ["user_recent:last_seen"], last)["last_seen"]):
            break
        time.sleep(BURST_POLL_S)
    return size.burst / (time.monotonic() - began)


def _wait_until(moment: float) -> None:
    if (left := moment - time.monotonic()) > 0:
        time.sleep(left)


def update(tenant_id: str, user: int, event_ms: int, as_of: int) -> Message:
    """A `SessionMetric` of a session of two page views."""
    from schemas.subjects import subject

    session = f"s{user}"
    value = {
        "tenantId": tenant_id,
        "sessionId": session,
        "logEpoch": 1,
        "logPartition": 0,
        "day": _day(event_ms),
        "asOf": as_of,
        "sessions": [_SESSION | {"sessionStart": event_ms - 1_000, "sessionEnd": event_ms, "userId": f"u{user}"}],
    }
    version = subject("session-metric").latest.version
    return Message(SESSION_METRICS.name, session, session, version, value, event_ms)


def _day(event_ms: int) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(event_ms / _MS, UTC).date()


_SESSION: dict[str, Any] = {
    "visitorId": "v",
    **dict.fromkeys(("clicks", "searches", "addToCarts", "purchases"), 0),
    **dict.fromkeys(("events", "pageViews", "uniquePages"), 2),
    "durationMs": 1_000,
    **dict.fromkeys(("entryPage", "exitPage", "referrer"), None),
    "platform": "web",
    "deviceClass": "desktop",
    "country": None,
    "experiments": [],
    "converted": False,
    "engaged": True,
    "overlong": False,
    "products": ["p1", "p2"],
}
