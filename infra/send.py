"""Sending messages to Kafka: encoded by their contract, put into the partition that all producers agree on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from infra.messages import Message, damaged
from infra.settings import Settings
from schemas.codec import encode_record
from schemas.partitioner import partition_for
from schemas.registry import Registry
from schemas.subjects import subject
from schemas.topics import TOPICS

DELIVERY_SECONDS = 60.0
_METADATA_SECONDS = 15.0
_POLL_SECONDS = 0.1
_PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 20,
    "batch.size": 512 * 1024,
    "queue.buffering.max.messages": 200_000,
    # Deliveries are counted as what was handed over less what failed and what still waits.
    "delivery.report.only.error": True,
    # What matters comes as an error; librdkafka would tell every attempt on standard error too.
    "log_level": 0,
}


class SendError(Exception):
    """Messages did not reach Kafka; the message says what to do."""


class NoTopic(SendError):
    """Kafka does not have the topic, or does not answer."""

    def __init__(self, topic: str, why: str) -> None:
        super().__init__(f"cannot send to topic {topic}: {why}; start the stack with `rivermeet up`")
        self.topic, self.why = topic, why


class NotDelivered(SendError):
    """Kafka did not acknowledge some records in time. Sending all of them again is safe: they become duplicates."""

    def __init__(self, count: int, why: str) -> None:
        super().__init__(f"{count} records were not acknowledged ({why}); see `rivermeet status`, then send again")
        self.count, self.why = count, why


@dataclass(frozen=True)
class _Destination:
    """What is known of a topic: its partitions in Kafka, and the registry's id of each version of its contract."""

    partitions: int
    schema_ids: Mapping[int, int]


class Sender:
    """Sends messages in their order; used by one thread.

    Every record is acknowledged by all replicas and written once, also when the producer tries again. `finish` must be
    called at last; without it records may be lost.
    """

    def __init__(self, settings: Settings, seconds: float = DELIVERY_SECONDS) -> None:
        timeout = {"message.timeout.ms": int(seconds * 1000)}
        self._producer: Any = Producer(settings.kafka.client_config() | _PRODUCER | timeout)
        self._registry = Registry(settings.registry.url)
        self._seconds = seconds
        self._known: dict[str, _Destination] = {}
        self._handed_over = 0
        self._failures: list[KafkaError] = []

    @property
    def sent(self) -> int:
        """Records handed over so far."""
        return self._handed_over

    def send(self, message: Message) -> None:
        """Hand a message over, waiting while too many are on their way.

        Raises NoTopic, NotDelivered, `schemas.codec.Unencodable`, `schemas.registry.RegistryUnavailable`.
        """
        destination = self._destination(message.topic)
        value = _encoded(message, destination.schema_ids)
        partition = partition_for(message.partition_key.encode(), destination.partitions)
        deadline = time.monotonic() + self._seconds
        while not self._hand_over(message, value, partition):
            if time.monotonic() > deadline:
                raise NotDelivered(len(self._producer), "Kafka takes no more")
            self._producer.poll(_POLL_SECONDS)
        self._check()

    def finish(self) -> int:
        """Wait until everything is acknowledged and answer how many records were sent. Raises NotDelivered."""
        left = self._producer.flush(self._seconds)
        self._check()
        if left:
            raise NotDelivered(left, f"no answer within {self._seconds:.0f} s")
        return self._handed_over

    def _hand_over(self, message: Message, value: bytes, partition: int) -> bool:
        try:
            self._producer.produce(message.topic, value, message.key.encode(), partition, self._on_failure)
        except BufferError:
            return False
        except KafkaException as error:
            raise NotDelivered(1, error.args[0].str()) from error
        self._handed_over += 1
        self._producer.poll(0)
        return True

    def _on_failure(self, error: KafkaError | None, _record: object) -> None:
        if error is not None:
            self._failures.append(error)

    def _check(self) -> None:
        if self._failures:
            raise NotDelivered(len(self._failures), self._failures[0].str())

    def _destination(self, topic: str) -> _Destination:
        if topic not in self._known:
            self._known[topic] = _Destination(self._partitions(topic), self._registry.register(TOPICS[topic]))
        return self._known[topic]

    def _partitions(self, topic: str) -> int:
        """Asked of Kafka itself: a wrong count would tear sessions apart."""
        try:
            about = self._producer.list_topics(topic, timeout=min(self._seconds, _METADATA_SECONDS)).topics[topic]
        except KafkaException as error:
            raise NoTopic(topic, error.args[0].str()) from error
        if about.error is not None:
            raise NoTopic(topic, about.error.str())
        return len(about.partitions)


def send_all(settings: Settings, messages: Iterable[Message]) -> int:
    """Send messages and wait until all are acknowledged; answers how many. Raises as `Sender` does."""
    sender = Sender(settings)
    for message in messages:
        sender.send(message)
    return sender.finish()


def _encoded(message: Message, schema_ids: Mapping[int, int]) -> bytes:
    if isinstance(message.value, bytes):
        value = message.value
    else:
        contract = subject(str(TOPICS[message.topic].subject)).version(message.version)
        value = encode_record(message.value, contract, schema_ids[message.version])
    return damaged(value, message.damage) if message.damage else value
