"""The log as Kafka has it now: the topic's id and the offsets that it still holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

TIMEOUT_SECONDS = 30.0


class LogUnavailable(Exception):
    """Kafka did not answer, or does not have the topic. Nothing was landed; run the same command again."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"topic {topic}: {reason}. Nothing was landed; run the same command again once Kafka answers.")
        self.topic, self.reason = topic, reason


@dataclass(frozen=True)
class LogEnds:
    """What a topic holds: all records with offsets in [`begin`, `end`), by partition."""

    topic: str
    topic_id: str
    begin: Mapping[int, int]
    end: Mapping[int, int]
    taken_at: datetime
    """A time before `end` was asked for."""


def read_ends(client: Mapping[str, str], topic: str, clock: Callable[[], datetime]) -> LogEnds:
    """The topic's offsets of now; `client` is configuration under librdkafka's names. Raises `LogUnavailable`."""
    admin = AdminClient(dict(client))
    try:
        known = admin.describe_topics(TopicCollection([topic]), request_timeout=TIMEOUT_SECONDS)[topic]
        about = known.result(timeout=TIMEOUT_SECONDS)
        partitions = [TopicPartition(topic, partition.id) for partition in about.partitions]
        begin = _offsets(admin, partitions, OffsetSpec.earliest())
        taken_at = clock()
        end = _offsets(admin, partitions, OffsetSpec.latest())
    except (KafkaException, TimeoutError) as failure:
        raise LogUnavailable(topic, str(failure)) from failure
    return LogEnds(topic, str(about.topic_id), begin, end, taken_at)


def _offsets(admin: AdminClient, partitions: list[TopicPartition], which: OffsetSpec) -> dict[int, int]:
    asked = admin.list_offsets(dict.fromkeys(partitions, which), request_timeout=TIMEOUT_SECONDS)
    return {partition.partition: found.result(timeout=TIMEOUT_SECONDS).offset for partition, found in asked.items()}
