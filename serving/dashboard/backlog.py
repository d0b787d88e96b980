"""How many records of the log the speed layer has not applied yet: what Kafka holds less what is applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException

from infra.settings import Settings
from serving.log import TOPICS, admin, end_offsets


class Backlog:
    """Asks Kafka; used by any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: Any = None

    def of(self, applied: Mapping[int, int]) -> int | None:
        """Records at or past the applied offsets (by partition), over all partitions; None if Kafka does not answer."""
        try:
            self._admin = self._admin or admin(self._settings)
            ends = end_offsets(self._admin, TOPICS["events"])
        except (KafkaException, TimeoutError):
            return None
        return sum(max(0, end - applied.get(partition, 0)) for partition, end in ends.items())
