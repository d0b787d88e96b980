"""How many records of the log the speed layer has not applied yet: what Kafka holds less what is applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from infra.settings import Settings
from schemas.topics import USER_EVENTS

_SECONDS = 2.0


class Backlog:
    """Asks Kafka; used by any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: Any = None

    def of(self, applied: Mapping[int, int]) -> int | None:
        """Records at or past the applied offsets (by partition), over all partitions; None if Kafka does not answer."""
        self._admin = self._admin or AdminClient(self._settings.kafka.client_config() | {"log_level": 0})
        try:
            count = len(self._admin.list_topics(USER_EVENTS.name, timeout=_SECONDS).topics[USER_EVENTS.name].partitions)
            latest = {TopicPartition(USER_EVENTS.name, n): OffsetSpec.latest() for n in range(count)}
            asked = self._admin.list_offsets(latest, request_timeout=_SECONDS)
            ends = {at.partition: found.result(_SECONDS).offset for at, found in asked.items()}
        except (KafkaException, TimeoutError):
            return None
        waiting: int = sum(max(0, end - applied.get(partition, 0)) for partition, end in ends.items())
        return waiting
