"""Which log an input topic is: its epoch, bound to the id that Kafka gave the topic."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.errors import LogRefused
from streams.hold import Log

TIMEOUT_S = 15.0


class EpochStore(Protocol):
    """Keeps which topic id an epoch is bound to."""

    def epoch_for(self, topic: str, topic_id: str, partitions: int, end_offsets: Mapping[int, int]) -> int:
        """The epoch of this log, a new one where none of the topic is known.

        `end_offsets` gives, per partition, the offset that the next record will get. Raises AnotherLog if the id is not
        that of the epoch or the log ends below what is stored, PartitionsChanged if the count is not that of the epoch.
        """


def identify(client_config: Mapping[str, str], topics: Iterable[str], epochs: EpochStore) -> dict[str, Log]:
    """The log behind each topic. `client_config` has librdkafka's names.

    Raises LogRefused if a topic is missing, the brokers do not answer within 15 s, or the store refuses the log.
    """
    admin = AdminClient(dict(client_config))
    return {topic: _identify(admin, topic, epochs) for topic in topics}


def _identify(admin: Any, topic: str, epochs: EpochStore) -> Log:
    try:
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=TIMEOUT_S)[topic].result(TIMEOUT_S)
        partitions = [TopicPartition(topic, info.id) for info in described.partitions]
        asked = admin.list_offsets({tp: OffsetSpec.latest() for tp in partitions}, request_timeout=TIMEOUT_S)
        ends = {tp.partition: future.result(TIMEOUT_S).offset for tp, future in asked.items()}
    except (KafkaException, TimeoutError) as error:
        raise LogRefused(
            topic, f"cannot be read ({error}). Check the brokers' address and that the topic exists"
        ) from error
    epoch = epochs.epoch_for(topic, str(described.topic_id), len(partitions), ends)
    return Log(epoch, len(partitions))
