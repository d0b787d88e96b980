"""How long analysts wait: the views, asked over HTTP by an analyst's login, alone and beside readers and a load."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from infra.bench.store import write_live
from infra.bench.visits import Shop
from infra.clients.clickhouse import Client, connect
from infra.settings import ClickHouse

READERS = 8
EVENTS_PER_SECOND = 20_000
WARM_UP = 3
EVENTS_PER_SESSION = 5
_MEDIAN, _RARE = 50, 99


@dataclass(frozen=True)
class Question:
    """One kind of query; `ask` makes its text with what changes from one time to the next drawn at random."""

    name: str
    ask: Callable[[Random], str]


def questions(today: date, sessions_a_day: int) -> tuple[Question, ...]:
    """What the targets speak of, on a store that `infra.bench.store` filled."""
    first, last = today - timedelta(days=30), today - timedelta(days=1)

    def some_day(draw: Random) -> date:
        return first + timedelta(days=draw.randrange(30))

    def session(draw: Random) -> str:
        return f"{some_day(draw):%m%d}-{draw.randrange(sessions_a_day):07d}"

    hour = f"from_time = '{today} 12:00:00', to_time = '{today} 13:00:00', tenant = '', category = ''"
    by_device = (
        "SELECT device_class, count(), countIf(converted), avg(duration_ms) FROM sessions"
        " WHERE day = '{}' GROUP BY device_class"
    )
    return (
        Question(
            "daily_metrics_30d", lambda _: f"SELECT * FROM daily_metrics WHERE day BETWEEN '{first}' AND '{last}'"
        ),
        Question("daily_metrics_today", lambda _: f"SELECT * FROM daily_metrics WHERE day = '{today}'"),
        Question("day_by_device", lambda draw: by_device.format(some_day(draw))),
        Question("session_by_id", lambda draw: f"SELECT * FROM sessions WHERE session_id = '{session(draw)}'"),
        Question("top_products_hour", lambda _: f"SELECT * FROM top_products({hour}) LIMIT 10"),
    )


def measure(settings: ClickHouse, asked: Sequence[Question], repeats: int, seed: int) -> dict[str, float]:
    """Name and percentile -> ms, of one reader that asks every question so many times."""
    client = connect(settings, "analyst")
    try:
        times = {question.name: _ask(client, question, repeats, Random(seed)) for question in asked}  # noqa: S311
    finally:
        client.close()
    return _percentiles(times)


def measure_together(
    settings: ClickHouse, asked: Sequence[Question], repeats: int, today: date, seed: int
) -> tuple[dict[str, float], float]:
    """The same of several readers at once beside a load, and the events a second that the load has written."""

    def reader(number: int) -> dict[str, list[float]]:
        client = connect(settings, "analyst")
        draw = Random(seed + number)  # noqa: S311
        try:
            return {question.name: _ask(client, question, repeats, draw) for question in asked}
        finally:
            client.close()

    with _load(settings, today, seed) as written, ThreadPoolExecutor(READERS) as pool:
        started, before = time.monotonic(), written()
        found = list(pool.map(reader, range(READERS)))
        rate = (written() - before) / (time.monotonic() - started)
    times = {question.name: [took for one in found for took in one[question.name]] for question in asked}
    return _percentiles(times), rate


def _ask(client: Client, question: Question, repeats: int, draw: Random) -> list[float]:
    for _ in range(WARM_UP):
        client.query_arrow(question.ask(draw))
    times = []
    for _ in range(repeats):
        sql = question.ask(draw)
        started = time.perf_counter()
        client.query_arrow(sql)
        times.append((time.perf_counter() - started) * 1000)
    return times


@contextmanager
def _load(settings: ClickHouse, today: date, seed: int) -> Iterator[Callable[[], int]]:
    """Writes a second's worth of new sessions each second, as the speed layer would; answers how many events so far."""
    stop, written = threading.Event(), [0]

    def write() -> None:
        client, shop = connect(settings), Shop(seed, prefix="load-")
        try:
            while not stop.is_set():
                started = time.monotonic()
                events = shop.day(today, EVENTS_PER_SECOND // EVENTS_PER_SESSION)
                write_live(client, events)
                written[0] += events.height
                stop.wait(max(0.0, 1 - (time.monotonic() - started)))
        finally:
            client.close()

    thread = threading.Thread(target=write, name="load")
    thread.start()
    try:
        yield lambda: written[0]
    finally:
        stop.set()
        thread.join()


def _percentiles(times: Mapping[str, list[float]]) -> dict[str, float]:
    return {
        f"{name}_p{share}_ms": round(percentile(found, share), 1)
        for name, found in times.items()
        for share in (_MEDIAN, _RARE)
    }


def percentile(values: Sequence[float], share: int) -> float:
    """The least value that so many in a hundred do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]
