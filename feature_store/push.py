"""The push consumer: what the stream says now, into the online store and its history, within two seconds.

A round takes what Kafka has, keeps of each entity the newest value, writes the history, then the online store, then
commits. So it is never ahead of itself: killed anywhere, it writes the same values again, and those lose or change
nothing. While a store does not answer nothing more is read; after `PATIENCE_S` the process ends with the reason.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from feature_store.decoding import decode
from feature_store.live import CategoryOf, LiveSession, live_session, newest
from feature_store.popularity import WINDOW_MS, WINDOWS, LiveProduct, Popularity
from schemas.codec import resolve
from schemas.codec.wire import Resolver
from schemas.topics import PRODUCT_POPULARITY, SESSION_METRICS

log = logging.getLogger(__name__)

TOPICS = (SESSION_METRICS.name, PRODUCT_POPULARITY.name)
RECORDS_PER_ROUND = 5_000
WAIT_S = 0.1
PATIENCE_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
REPORT_S = 30.0
RESTORE_MS = (WINDOWS + 1) * WINDOW_MS
"""How far back counts are read again at a start: an hour of windows is not in any one record."""


_Done = TypeVar("_Done")


@dataclass(frozen=True, slots=True)
class Record:
    """A record of one of the topics. `restoring`: it was taken in before, and only memory wants it back."""

    topic: str
    partition: int
    offset: int
    appended_ms: int
    value: bytes | None
    restoring: bool = False


class Sink(Protocol):
    """Where values go. Both calls may be repeated, and raise one of `passing` while their server does not answer."""

    passing: tuple[type[Exception], ...]

    def keep(self, sessions: Sequence[LiveSession], products: Sequence[LiveProduct], now_ms: int) -> None:
        """Write the history."""
        ...

    def serve(self, sessions: Sequence[LiveSession], products: Sequence[LiveProduct]) -> None:
        """Write the online store."""
        ...


class SinkUnavailable(Exception):
    """A store did not answer for too long. Nothing is lost: start again when it does."""

    def __init__(self, seconds: float, why: str) -> None:
        super().__init__(f"a store did not answer for {seconds:.0f} s ({why}); start it, then start the push again")
        self.seconds, self.why = seconds, why


@dataclass
class Counts:
    """What the consumer did since its start."""

    read: int = 0
    refused: int = 0
    pushed: int = 0
    rounds: int = 0


@dataclass
class Pusher:
    """Rounds over records of both topics, each (topic, partition, offset, append time in ms, value)."""

    sink: Sink
    resolver: Resolver
    category_of: CategoryOf
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    counts: Counts = field(default_factory=Counts)
    popularity: Popularity = field(default_factory=Popularity)
    _window: int = 0

    def round(self, records: Sequence[Record]) -> int:
        """Take records in and write what is new; answers how many values. Raises `SinkUnavailable`, and what the
        registry raises while it cannot say what a record is."""
        metrics, counts = (self._decoded([r for r in records if r.topic == topic], topic) for topic in TOPICS)
        sessions = [self._session(record, value) for record, value in metrics]
        products = self._products(counts)
        found = newest((one for one in sessions if one), lambda one: (one.tenant_id, one.session_id))
        self._write(found, products)
        self.counts.read += len(records)
        self.counts.pushed += len(found) + len(products)
        self.counts.rounds += 1
        return len(found) + len(products)

    def _session(self, record: Record, value: Mapping[str, Any]) -> LiveSession | None:
        return live_session(value, record.appended_ms, self.category_of)

    def _products(self, decoded: Iterable[tuple[Record, Mapping[str, Any]]]) -> list[LiveProduct]:
        """Products that were told of, and at the start of a window all that it changes."""
        touched: dict[tuple[str, str], int] = {}
        for record, value in decoded:
            product = self.popularity.apply(value)
            if not record.restoring:
                touched[product] = max(touched.get(product, 0), record.appended_ms)
        now = int(self.clock() * 1000)
        values = [self.popularity.value(product, at_ms) for product, at_ms in touched.items()]
        if now // WINDOW_MS != self._window:
            self._window = now // WINDOW_MS
            values.extend(self.popularity.advance(now))
        return newest(values, lambda one: (one.tenant_id, one.product_id))

    def _decoded(self, records: Sequence[Record], topic: str) -> list[tuple[Record, Mapping[str, Any]]]:
        if not records:
            return []
        values = [record.value for record in records]
        found = decode(topic, values, resolve(values, self.resolver))
        for place, why in found.refused:
            self.counts.refused += 1
            record = records[place]
            log.warning("left out %s %d offset %d: %s", topic, record.partition, record.offset, why)
        return [(records[place], value) for place, value in found.records]

    def _write(self, sessions: Sequence[LiveSession], products: Sequence[LiveProduct]) -> None:
        if sessions or products:
            self._patiently(lambda: self.sink.keep(sessions, products, int(self.clock() * 1000)))
            self._patiently(lambda: self.sink.serve(sessions, products))

    def _patiently(self, attempt: Callable[[], _Done]) -> _Done:
        """Try again while the server does not answer, waiting longer each time, up to `PATIENCE_S` in all."""
        waited, pause = 0.0, FIRST_PAUSE_S
        while True:
            try:
                return attempt()
            except self.sink.passing as error:
                if waited >= PATIENCE_S:
                    raise SinkUnavailable(waited, str(error)) from error
                log.warning("trying again in %.1f s: %s", pause, error)
            self.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE_S)
