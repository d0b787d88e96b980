"""Kafka at the edge of the push consumer: rounds of records in, positions out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, Consumer, KafkaException, TopicPartition

from feature_store.push import RECORDS_PER_ROUND, RESTORE_MS, TOPICS, WAIT_S, Record
from schemas.topics import PRODUCT_POPULARITY

GROUP = "rivermeet-features"
_SECONDS = 15.0
_OPTIONS = {
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "cooperative-sticky",
    "fetch.wait.max.ms": 50,
    "queued.max.messages.kbytes": 16_384,
}


class Rounds:
    """Records of the topics since the last commit of the group, in rounds. Counts are read again from an hour ago."""

    def __init__(self, client_config: Mapping[str, str], group: str = GROUP) -> None:
        self._consumer: Any = Consumer({**client_config, **_OPTIONS, "group.id": group})
        self._restored: dict[int, int] = {}
        self._consumer.subscribe(list(TOPICS), on_assign=self._on_assign)

    def next(self) -> list[Record]:
        """What there is, at most one round; empty after a moment without any. Raises `KafkaException`."""
        return [self._record(message) for message in self._consumer.consume(RECORDS_PER_ROUND, WAIT_S)]

    def commit(self, records: Sequence[Record]) -> None:
        """All records up to these are done with."""
        ends = {(record.topic, record.partition): record.offset + 1 for record in records if not record.restoring}
        if ends:
            self._consumer.commit(offsets=[TopicPartition(*key, end) for key, end in ends.items()], asynchronous=True)

    def lag(self) -> int:
        """Records that wait to be read, as far as the client knows without asking."""
        waiting = 0
        for place in self._consumer.position(self._consumer.assignment()):
            _, end = self._consumer.get_watermark_offsets(place, cached=True)
            waiting += max(0, end - place.offset) if place.offset >= 0 else 0
        return waiting

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _record(self, message: Any) -> Record:
        if message.error() is not None:
            raise KafkaException(message.error())
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        restoring = topic == PRODUCT_POPULARITY.name and offset < self._restored.get(partition, 0)
        return Record(topic, partition, offset, message.timestamp()[1], message.value(), restoring)

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        """Begin at the committed offsets; of counts an hour before now, if that is earlier."""
        starts = {(p.topic, p.partition): p.offset for p in consumer.committed(partitions, timeout=_SECONDS)}
        counts = [p for p in partitions if p.topic == PRODUCT_POPULARITY.name]
        since = int(time.time() * 1000) - RESTORE_MS
        hour = consumer.offsets_for_times([TopicPartition(p.topic, p.partition, since) for p in counts], _SECONDS)
        for place in hour:
            committed = starts[place.topic, place.partition]
            if committed != OFFSET_INVALID:
                self._restored[place.partition] = committed
                if 0 <= place.offset < committed:
                    starts[place.topic, place.partition] = place.offset
        consumer.incremental_assign(
            [TopicPartition(*key, OFFSET_BEGINNING if at == OFFSET_INVALID else at) for key, at in starts.items()]
        )
