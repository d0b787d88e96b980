"""What other programs read from Kafka after a fault: a consumer that keeps the greatest version of a key is right."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from infra.settings import Settings
from schemas.codec import decode_record, resolve
from schemas.codec.encode import snake
from schemas.registry import Registry
from schemas.subjects import subject
from schemas.topics import TOPICS

SECONDS = 60.0


@dataclass(frozen=True)
class Output:
    """An output topic: the table that its records come from, the fields of a consumer's key, and the version.

    `columns` selects the same from the table.
    """

    topic: str
    table: str
    key: tuple[str, ...]
    columns: str = "*"
    version: str = "asOf"
    counts: Callable[[int, int], int] = max
    """Which of two versions counts."""


OUTPUTS = (
    Output("session-metrics", "speed_sessions", ("tenantId", "sessionId", "logEpoch", "logPartition", "day")),
    Output(
        "product-popularity",
        "speed_products",
        ("tenantId", "productId", "windowStart", "logEpoch", "logPartition"),
        "* REPLACE (toUnixTimestamp64Milli(toDateTime64(window_start, 3)) AS window_start)",
    ),
    Output("alerts", "speed_alerts", ("tenantId", "rule", "entity", "alertId"), counts=min),
)

Key = tuple[object, ...]


def consumed(settings: Settings, output: Output) -> dict[Key, int]:
    """Key -> the version that counts, as a consumer has it at last. Raises ValueError if a version has two contents."""
    contents: dict[tuple[Key, int], bytes] = {}
    for value, record in _records(settings, output.topic):
        at = tuple(_plain(record[name]) for name in output.key), int(record[output.version])
        if contents.setdefault(at, value) != value:
            raise ValueError(f"{output.topic}: two records of {at} differ")
    found: dict[Key, int] = {}
    for key, version in contents:
        found[key] = output.counts(version, found.get(key, version))
    return found


def stored(rows: list[dict[str, Any]], output: Output) -> dict[Key, int]:
    """Key -> version of the rows of the table."""
    columns = [snake(name) for name in output.key]
    return {tuple(_plain(row[column]) for column in columns): row[snake(output.version)] for row in rows}


def _records(settings: Settings, topic: str) -> Iterator[tuple[bytes, Mapping[str, Any]]]:
    values = list(_values(settings, topic))
    schemas = resolve(values, Registry(settings.registry.url).resolve)
    reader = subject(str(TOPICS[topic].subject)).latest
    for value in values:
        yield value, decode_record(value, schemas, reader)


def _values(settings: Settings, topic: str) -> Iterator[bytes]:
    admin = AdminClient(settings.kafka.client_config() | {"log_level": 0})
    places = [TopicPartition(topic, partition) for partition in admin.list_topics(topic).topics[topic].partitions]
    asked = admin.list_offsets({place: OffsetSpec.latest() for place in places})
    left = sum(future.result(SECONDS).offset for future in asked.values())
    consumer = Consumer(settings.kafka.client_config() | {"group.id": "faults-outputs", "enable.auto.commit": False})
    consumer.assign([TopicPartition(place.topic, place.partition, 0) for place in places])
    deadline = time.monotonic() + SECONDS
    try:
        while left > 0:
            assert time.monotonic() < deadline, f"{left} records of {topic} do not come"
            for message in consumer.consume(min(left, 10_000), 0.2):
                assert message.error() is None, message.error()
                left -= 1
                yield message.value()
    finally:
        consumer.close()


def _plain(value: object) -> object:
    """Times as milliseconds, as both sides can have them."""
    return round(value.timestamp() * 1_000) if isinstance(value, datetime) else value
