"""Which log an input topic is: its epoch, bound to the id that Kafka gave the topic."""

import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.errors import AnotherLog, LogRefused, PartitionsChanged
from streams.hold import Log

TIMEOUT_S = 10.0
PAUSES_S = (0.2, 0.4, 0.8, 1.6)


class EpochStore(Protocol):
    """Keeps which topic id an epoch is bound to."""

    def epoch_for(self, topic: str, topic_id: str, partitions: int, end_offsets: Mapping[int, int]) -> int:
        """The epoch of this log, a new one where none of the topic is known.

        `end_offsets` gives, per partition, the offset that the next record will get. Raises AnotherLog if the id is not
        that of the epoch or the log ends below what is stored, PartitionsChanged if the count is not that of the epoch.
        """


def identify(client_config: Mapping[str, str], topics: Iterable[str], epochs: EpochStore) -> dict[str, Log]:
    """The log behind each topic. `client_config` has librdkafka's names.

    Raises LogRefused if a topic is missing, the brokers do not answer, or the store refuses the log.
    """
    admin = AdminClient(dict(client_config))
    return {topic: _identify(admin, topic, epochs) for topic in topics}


def verify(client_config: Mapping[str, str], logs: Mapping[str, Log]) -> None:
    """Make sure that each topic still is the log it was.

    Raises AnotherLog, PartitionsChanged, or LogRefused if the brokers do not answer.
    """
    admin = AdminClient(dict(client_config))
    for topic, known in logs.items():
        topic_id, ends = _described(admin, topic, pauses=[*PAUSES_S])
        if topic_id != known.topic_id:
            raise AnotherLog(topic, f"its id is {topic_id}, and {known.topic_id} was read before")
        if len(ends) != known.partitions:
            raise PartitionsChanged(topic, known.partitions, len(ends))


def _identify(admin: Any, topic: str, epochs: EpochStore) -> Log:
    topic_id, ends = _described(admin, topic, pauses=[*PAUSES_S])
    return Log(epochs.epoch_for(topic, topic_id, len(ends), ends), len(ends), topic_id)


def _described(admin: Any, topic: str, pauses: list[float]) -> tuple[str, dict[int, int]]:
    """Topic id, and end offset by partition. Tried again: a topic just made is not known to every broker yet."""
    try:
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=TIMEOUT_S)[topic].result(TIMEOUT_S)
        partitions = [TopicPartition(topic, info.id) for info in described.partitions]
        asked = admin.list_offsets({tp: OffsetSpec.latest() for tp in partitions}, request_timeout=TIMEOUT_S)
        return str(described.topic_id), {tp.partition: ends.result(TIMEOUT_S).offset for tp, ends in asked.items()}
    except (KafkaException, TimeoutError) as error:
        if not pauses:
            what = f"cannot be read ({error}). Check the brokers' address and that the topic exists"
            raise LogRefused(topic, what) from error
    time.sleep(pauses.pop(0))
    return _described(admin, topic, pauses)
