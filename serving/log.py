"""Where the logs of events and orders end: asked of Kafka, for those who tell how far the speed layer is behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from infra.settings import Settings
from schemas.topics import TRANSACTIONS, USER_EVENTS

TOPICS = {"events": USER_EVENTS.name, "orders": TRANSACTIONS.name}
"""Dataset -> topic."""
_WAIT_S = 2.0
_EVERY_S, _AGAIN_S, _BELIEVED_S = 1.0, 10.0, 10.0


@dataclass(frozen=True)
class Ends:
    """Partition -> offset of the next record, at a moment or later."""

    asked_at: datetime
    offsets: Mapping[int, int]

    def reached(self, applied: Mapping[int, int]) -> frozenset[int]:
        """Partitions of which all records up to the moment are below the applied offsets."""
        return frozenset(partition for partition, end in self.offsets.items() if applied.get(partition, -1) >= end)


class LogEnds:
    """Asks Kafka aside, at most once a second and only while somebody wants to know; less often while it is away."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings, self._clock = settings, clock
        self._admin: Any = None
        self._pool = ThreadPoolExecutor(1, "log-ends")
        self._asked: Future[None] | None = None
        self._next_at = self._read_at = float("-inf")
        self._ends: dict[str, Ends] = {}

    def of(self, dataset: str) -> Ends | None:
        """What Kafka said last, None while it is not known. Waits for nobody."""
        now = time.monotonic()
        if now > self._next_at and (self._asked is None or self._asked.done()):
            self._next_at = now + _EVERY_S
            self._asked = self._pool.submit(self._ask)
        return self._ends.get(dataset) if now - self._read_at < _BELIEVED_S else None

    def _ask(self) -> None:
        asked_at = self._clock()
        try:
            self._admin = self._admin or admin(self._settings)
            found = {dataset: Ends(asked_at, end_offsets(self._admin, topic)) for dataset, topic in TOPICS.items()}
        except (KafkaException, TimeoutError):
            self._next_at = time.monotonic() + _AGAIN_S
            return
        self._ends, self._read_at = found, time.monotonic()

    def close(self) -> None:
        """Asks no more; a question that is under way ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def admin(settings: Settings) -> AdminClient:
    """A client that says nothing of brokers that are away."""
    return AdminClient(settings.kafka.client_config() | {"log_level": 0})


def end_offsets(client: AdminClient, topic: str) -> dict[int, int]:
    """Partition -> offset of the next record. Raises KafkaException or TimeoutError."""
    count = len(client.list_topics(topic, timeout=_WAIT_S).topics[topic].partitions)
    latest = {TopicPartition(topic, number): OffsetSpec.latest() for number in range(count)}
    asked = client.list_offsets(latest, request_timeout=_WAIT_S) if latest else {}
    return {at.partition: found.result(_WAIT_S).offset for at, found in asked.items()}
