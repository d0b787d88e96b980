"""How long analysts wait: the views, asked over HTTP by an analyst's login, alone and beside readers and a load."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from random import Random

from infra.bench.moved import renamed
from infra.bench.owner import Owned
from infra.bench.store import live, write_rows
from infra.bench.visits import Shop
from infra.clients.clickhouse import Client, connect
from infra.settings import ClickHouse

READERS = 8
EVENTS_PER_SECOND = 20_000
WARM_UP = 3
EVENTS_PER_SESSION = 5
_MEDIAN, _RARE = 50, 99
_QUERY_S, _STOP_S = 30, 60


@dataclass(frozen=True)
class Question:
    """One kind of query; `ask` makes its text with what changes from one time to the next drawn at random."""

    name: str
    ask: Callable[[Random], str]


def of_open_day(today: date) -> Question:
    """The figures of the open day: kept until a part of it changes, and so dear beside a load that writes to it."""
    return Question("daily_metrics_today", lambda _: f"SELECT * FROM daily_metrics WHERE day = '{today}'")


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
        Question("day_by_device", lambda draw: by_device.format(some_day(draw))),
        Question("session_by_id", lambda draw: f"SELECT * FROM sessions_by_id WHERE session_id = '{session(draw)}'"),
        Question("top_products_hour", lambda _: f"SELECT * FROM top_products({hour}) LIMIT 10"),
    )


@dataclass(frozen=True)
class Patience:
    """How often each question is asked, and after how many seconds a part of the measurement asks no more.

    Between two questions a reader pauses for up to twice `pause` seconds, so that readers do not ask in step.
    """

    repeats: int
    seconds: float
    pause: float = 0.0


def measure(store: Owned, asked: Sequence[Question], patience: Patience, seed: int) -> dict[str, float]:
    """Percentiles in ms and the server's CPU ms, by name, of one reader that asks every question so many times."""
    client = connect(store.settings, "analyst", query_timeout_s=_QUERY_S)
    each = Patience(patience.repeats, patience.seconds / len(asked))
    times, spent = {}, {}
    try:
        for question in asked:
            _warm(client, question, Random(seed))  # noqa: S311
            before = store.cpu_seconds()
            times[question.name] = _ask(client, question, each, Random(seed))  # noqa: S311
            spent[question.name] = (store.cpu_seconds() - before) / len(times[question.name])
    finally:
        client.close()
    return _percentiles(times) | {f"{name}_cpu_ms": round(seconds * 1000, 1) for name, seconds in spent.items()}


def measure_together(
    store: Owned, ways: Sequence[tuple[Sequence[Question], Patience]], today: date, seed: int
) -> list[dict[str, float]]:
    """For each way, of questions and patience: percentiles in ms of several readers at once beside a load, the
    questions that they asked a second, and the events a second that the load has written."""
    with ThreadPoolExecutor(READERS) as pool, _load(store.settings, today, seed) as written:
        return [_together(store, asked, patience, pool, written, seed) for asked, patience in ways]


def _together(
    store: Owned,
    asked: Sequence[Question],
    patience: Patience,
    pool: ThreadPoolExecutor,
    written: Callable[[], int],
    seed: int,
) -> dict[str, float]:
    started, before = time.monotonic(), written()
    found = list(pool.map(lambda number: _reader(store, asked, patience, seed + number), range(READERS)))
    seconds = time.monotonic() - started
    times = {question.name: [took for one in found for took in one[question.name]] for question in asked}
    rates = {
        "questions_per_second": round(sum(map(len, times.values())) / seconds, 1),
        "events_per_second": round((written() - before) / seconds),
    }
    return _percentiles(times) | rates


def _reader(store: Owned, asked: Sequence[Question], patience: Patience, seed: int) -> dict[str, list[float]]:
    client = connect(store.settings, "analyst", query_timeout_s=_QUERY_S)
    draw, times = Random(seed), {question.name: list[float]() for question in asked}  # noqa: S311
    try:
        for question in asked:
            _warm(client, question, draw)
        deadline = time.monotonic() + patience.seconds
        for asking in range(patience.repeats):
            if asking and time.monotonic() > deadline:
                break
            for question in asked:
                time.sleep(draw.uniform(0, 2 * patience.pause))
                times[question.name] += _ask(client, question, Patience(1, 0), draw)
    finally:
        client.close()
    return times


def _warm(client: Client, question: Question, draw: Random) -> None:
    for _ in range(WARM_UP):
        client.query_arrow(question.ask(draw))


def _ask(client: Client, question: Question, patience: Patience, draw: Random) -> list[float]:
    """Times in ms: at least one, at most `repeats`, and none begins after the patience has ended."""
    times: list[float] = []
    deadline = time.monotonic() + patience.seconds
    while not times or (len(times) < patience.repeats and time.monotonic() < deadline):
        sql = question.ask(draw)
        started = time.perf_counter()
        client.query_arrow(sql)
        times.append((time.perf_counter() - started) * 1000)
    return times


@contextmanager
def _load(settings: ClickHouse, today: date, seed: int) -> Iterator[Callable[[], int]]:
    """Writes a second's worth of new sessions each second, as the speed layer would; answers how many events so far.

    The sessions are folded once and then written again and again under other ids: the load is the server's.
    """
    shop = Shop(seed, prefix="load-")
    rows = live(shop.day(today, EVENTS_PER_SECOND // EVENTS_PER_SESSION))
    stop, written = threading.Event(), [0]

    def write() -> None:
        client = connect(settings, query_timeout_s=_QUERY_S)
        try:
            for number in count():
                if stop.is_set():
                    return
                started = time.monotonic()
                write_rows(client, renamed(rows, "load-", f"load{number}-", shop.ends, number))
                written[0] += rows["events_speed"].height
                stop.wait(max(0.0, 1 - (time.monotonic() - started)))
        finally:
            client.close()

    with ThreadPoolExecutor(1, "load") as pool:
        writing = pool.submit(write)
        try:
            yield lambda: written[0]
        finally:
            stop.set()
            writing.result(_STOP_S)


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
