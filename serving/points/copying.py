"""The copier: reads `session-metrics` and `product-popularity`, writes Cassandra, then commits.

Offsets are committed after the rows are acknowledged, so a crash reads some records again; their rows carry the same
timestamps as before and change nothing. While Cassandra is away the copier waits and reads no further.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from infra.clients.cassandra import Points, PointsUnavailable
from infra.settings import Settings
from schemas.codec import decode_record, resolve
from schemas.reasons import Refused
from schemas.registry import Registry, RegistryUnavailable
from schemas.subjects import subject
from schemas.topics import PRODUCT_POPULARITY, SESSION_METRICS, TOPICS
from serving.points.rows import writes

GROUP = "rivermeet-points"
SOURCES = (SESSION_METRICS, PRODUCT_POPULARITY)
_AT_ONCE = 2_000
_LINGER_SECONDS = 0.1
_METADATA_SECONDS = 10.0
_TOLD_EVERY_SECONDS = 1.0
_BACKOFF_SECONDS, _BACKOFF_LIMIT = 0.5, 10.0
_PROGRESS = (
    "INSERT INTO points_progress (copy, topic, log_partition, partitions, position, caught_up_at)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)

_log = logging.getLogger(__name__)


class Copier:
    """Copies until told to end. `clock` answers times with a zone."""

    def __init__(self, settings: Settings, points: Callable[[], Points], clock: Callable[[], datetime]) -> None:
        self._connect, self._clock = points, clock
        self._points: Points | None = None
        self._registry = Registry(settings.registry.url)
        self._counts: dict[str, int] = {}
        self._ends: dict[tuple[str, int], int] = {}
        self._told_at = datetime.min.replace(tzinfo=UTC)
        self._pauses = _BACKOFF_SECONDS
        self._consumer = Consumer(
            settings.kafka.client_config()
            | {
                "group.id": GROUP,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
                # The partitions of a copier that died are free again after this.
                "session.timeout.ms": 10_000,
                "log_level": 0,
            }
        )

    def run(self, ending: threading.Event, ready: Callable[[], None]) -> None:
        """Copies until `ending` is set; calls `ready` once the partitions are its own."""

        def assigned(_consumer: Any, partitions: list[Any]) -> None:
            self._assigned(partitions)
            ready()

        self._consumer.subscribe([topic.name for topic in SOURCES], on_assign=assigned)
        taken: list[Any] = []
        try:
            while not ending.is_set():
                taken = taken or self._consumer.consume(_AT_ONCE, _LINGER_SECONDS)
                if self._copied([one for one in taken if one.error() is None]):
                    taken, self._pauses = [], _BACKOFF_SECONDS
                else:
                    ending.wait(self._pauses)
                    self._pauses = min(2 * self._pauses, _BACKOFF_LIMIT)
        finally:
            self._consumer.close()
            if self._points is not None:
                self._points.close()

    def _copied(self, taken: list[Any]) -> bool:
        """Whether the records are in Cassandra; otherwise the same ones must be tried again."""
        try:
            self._points = self._points or self._connect()
            for statement, rows in writes(self._decoded(taken), self._clock()).rows.items():
                self._points.write(statement, rows)
            self._commit(taken)
            self._tell_progress(self._points)
        except (PointsUnavailable, RegistryUnavailable) as error:
            _log.warning("copying waits: %s", error)
            return False
        return True

    def _decoded(self, taken: list[Any]) -> list[tuple[str, Mapping[str, Any]]]:
        found: list[tuple[str, Mapping[str, Any]]] = []
        for one in taken:
            topic, value = one.topic(), one.value()
            schemas = resolve([value], self._registry.resolve)
            try:
                found.append((topic, decode_record(value, schemas, subject(str(TOPICS[topic].subject)).latest)))
            except Refused as error:
                place = {"topic": topic, "partition": one.partition(), "offset": one.offset()}
                _log.error("not copied: %s", error, extra={"facts": place})
        return found

    def _commit(self, taken: list[Any]) -> None:
        """Tells Kafka what is done. Should it not hear, the records come again and change nothing."""
        for one in taken:
            self._ends[one.topic(), one.partition()] = one.offset() + 1
        done = {(one.topic(), one.partition()) for one in taken}
        if not done:
            return
        try:
            offsets = [TopicPartition(*partition, self._ends[partition]) for partition in done]
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            _log.warning("offsets are not committed: %s", error)

    def _assigned(self, partitions: list[Any]) -> None:
        """Where each partition goes on: behind what is committed, or at its beginning."""
        self._ends = {
            (at.topic, at.partition): at.offset for at in self._consumer.committed(partitions, _METADATA_SECONDS)
        }

    def _tell_progress(self, points: Points) -> None:
        """Says once a second of every partition whose end is reached that it was reached now."""
        now = self._clock()
        if (now - self._told_at).total_seconds() < _TOLD_EVERY_SECONDS:
            return
        rows = []
        for (topic, partition), position in self._ends.items():
            begin, end = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            if 0 <= end <= max(position, begin):
                rows.append((GROUP, topic, partition, self._partitions(topic), max(0, position), now))
        points.write(_PROGRESS, rows)
        self._told_at = now

    def _partitions(self, topic: str) -> int:
        if topic not in self._counts:
            about = self._consumer.list_topics(topic, timeout=_METADATA_SECONDS).topics[topic]
            self._counts[topic] = len(about.partitions)
        return self._counts[topic]
