"""Messages reach the partition that all producers agree on, as their contract says; what fails is told."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from infra.messages import TRANSACTIONS, USER_EVENTS, Message
from infra.send import NotDelivered, NoTopic, Sender, send_all
from infra.settings import Kafka, Settings
from infra.simulator.simulation import ShopSettings, Simulation
from schemas.codec import Unencodable, decode_record
from schemas.partitioner import partition_for
from schemas.reasons import Refused
from schemas.registry import Registry
from schemas.subjects import subject
from schemas.topics import TOPICS
from tests.support.stack import RunStack

pytestmark = pytest.mark.servers

NOON = 1_750_000_000_000
TAKEN = 5_000
LEADER_SECONDS = 10.0


@pytest.fixture(scope="module")
def settings(run_stack: RunStack) -> Settings:
    return run_stack.server("topics", "schemas")


def simulated() -> list[Message]:
    shop = ShopSettings(closed_days=0, visits_per_day=300, crawlers=False)
    return list(Simulation(shop, Random(5), NOON).messages())


def ends(consumer: Consumer, topic: str) -> list[TopicPartition]:
    """Where the partitions of a topic end now."""
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    return [TopicPartition(topic, number, end(consumer, topic, number)) for number in partitions]


def end(consumer: Consumer, topic: str, partition: int) -> int:
    """Where a partition ends now; one that was just made may have no leader yet."""
    deadline = time.monotonic() + LEADER_SECONDS
    while True:
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1])
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def read(consumer: Consumer, begin: list[TopicPartition], count: int) -> list[tuple[int, str, bytes]]:
    """(partition, key, value) of so many records that follow these places."""
    consumer.assign(begin)
    found: list[tuple[int, str, bytes]] = []
    while len(found) < count:
        records = consumer.consume(TAKEN, 5)
        assert records, f"{len(found)} of {count} records arrived"
        found += [(record.partition(), record.key().decode(), record.value()) for record in records]
    return found


def test_every_message_arrives_where_it_belongs_and_reads_as_it_was(settings: Settings) -> None:
    messages = simulated()
    consumer = Consumer(settings.kafka.client_config() | {"group.id": "test-send"})
    begins = {topic: ends(consumer, topic) for topic in (USER_EVENTS, TRANSACTIONS)}
    assert send_all(settings, messages) == len(messages)
    registry = Registry(settings.registry.url)
    for topic, begin in begins.items():
        sent = [message for message in messages if message.topic == topic]
        arrived = read(consumer, begin, len(sent))
        ids = registry.register(TOPICS[topic])
        schemas = {number: registry.resolve(number) for number in (*ids.values(), 0x7FFF_FFFF)}
        count = TOPICS[topic].partitions
        places = [(partition_for(m.partition_key.encode(), count), m.key) for m in sent]
        assert sorted(places) == sorted((partition, key) for partition, key, _ in arrived)
        good = [m.value for m in sent if not isinstance(m.value, bytes) and not m.damage]
        decoded = []
        for _, _, value in arrived:
            try:
                decoded.append(decode_record(value, schemas, subject(str(TOPICS[topic].subject)).latest))
            except Refused:
                continue
        assert sorted(map(str, decoded)) == sorted(str({**decoded_defaults(topic), **value}) for value in good)
    consumer.close()


def decoded_defaults(topic: str) -> dict[str, object]:
    """The fields of version 2, in the order in which a reader gives them, with what version 1 has in their place."""
    latest = subject(str(TOPICS[topic].subject)).latest.schema["fields"]
    return {field["name"]: field.get("default") for field in latest}


def test_a_topic_that_was_never_made_is_named(settings: Settings) -> None:
    (message, *_) = simulated()
    with pytest.raises(NoTopic, match="rivermeet up"):
        send_all(settings, [replace(message, topic="no-such-topic")])


def test_a_value_that_does_not_fit_its_contract_is_not_sent(settings: Settings) -> None:
    (message, *_) = (m for m in simulated() if m.topic == USER_EVENTS)
    with pytest.raises(Unencodable):
        send_all(settings, [replace(message, value={"eventId": "e"})])


def test_a_broker_that_is_gone_is_an_error_within_the_deadline(settings: Settings) -> None:
    (message, *_) = simulated()
    sender = Sender(settings.model_copy(update={"kafka": Kafka(bootstrap="127.0.0.1:1")}), seconds=1)
    with pytest.raises(NoTopic):
        sender.send(message)


def test_a_record_that_kafka_refuses_is_an_error(settings: Settings) -> None:
    (message, *_) = simulated()
    with pytest.raises(NotDelivered, match="too large"):
        send_all(settings, [replace(message, value=b"\x00" * 2_000_000, damage=None)])
