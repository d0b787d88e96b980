"""The topic table is the design's, and its configuration is what Kafka takes."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2 as reference_murmur2
from hypothesis import given
from hypothesis import strategies as st

from schemas.partitioner import murmur2, partition_for
from schemas.topics import TOPICS, Topic, UnknownTopic, topic, with_partitions

# name: partitions, retention in days (None: for ever), key, partitioned by
DESIGN = {
    "user-events": (24, 7, "sessionId", "sessionId"),
    "transactions": (12, 30, "transactionId", "userId"),
    "user-profiles": (6, None, "userId", "userId"),
    "inventory-updates": (6, 7, "productId", "productId"),
    "service-tickets": (6, 7, "userId", "userId"),
    "external-signals": (6, 7, "source", "source"),
    "user-sightings": (12, 1, "userId", "userId"),
    "session-metrics": (12, 7, "sessionId", "sessionId"),
    "product-popularity": (12, 7, "productId", "productId"),
    "alerts": (12, 7, "entity", "entity"),
    "dead-letters": (6, 30, "logTopic", "logTopic"),
}


def test_the_table_is_the_designs() -> None:
    assert set(TOPICS) == set(DESIGN)
    for name, (partitions, days, key, partition_by) in DESIGN.items():
        found = TOPICS[name]
        assert (found.partitions, found.key, found.partition_by) == (partitions, key, partition_by)
        assert (found.retention.days if found.retention else None) == days


@pytest.mark.parametrize("entry", TOPICS.values(), ids=lambda entry: entry.name)
def test_keys_are_fields_of_the_record(entry: Topic) -> None:
    if entry.subject is not None:
        from schemas.subjects import subject

        names = {field.name for field in subject(entry.subject).latest.type.fields}
        assert {entry.key, entry.partition_by} <= names


def test_configuration() -> None:
    assert topic("user-events").config() == {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "max.message.bytes": "1048576",
        "message.timestamp.type": "LogAppendTime",
        "min.compaction.lag.ms": "0",
        "retention.ms": "604800000",
    }
    orders = topic("transactions").config()
    assert (orders["cleanup.policy"], orders["min.compaction.lag.ms"]) == ("compact,delete", "604800000")
    assert topic("user-profiles").config()["retention.ms"] == "-1"


def test_only_orders_need_a_partition_from_the_producer() -> None:
    assert [one.name for one in TOPICS.values() if not one.keyed_by_partition_field] == ["transactions"]


def test_partitions_can_be_set() -> None:
    changed = with_partitions({"user-events": 4})
    assert changed["user-events"].partitions == 4
    assert TOPICS["user-events"].partitions == 24
    assert {name: one for name, one in changed.items() if name != "user-events"} == {
        name: one for name, one in TOPICS.items() if name != "user-events"
    }


def test_partitions_of_an_unknown_topic_or_of_none_are_refused() -> None:
    with pytest.raises(UnknownTopic) as unknown:
        with_partitions({"events": 4})
    assert unknown.value.name == "events"
    with pytest.raises(ValueError, match="1 or more"):
        with_partitions({"user-events": 0})


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_that_of_the_java_clients(text: bytes, signed: int) -> None:
    assert murmur2(text) == signed % 2**32


@given(st.binary(max_size=64), st.integers(1, 1000))
def test_partition_is_that_of_another_client(key: bytes, partitions: int) -> None:
    assert partition_for(key, partitions) == (reference_murmur2(key) & 0x7FFFFFFF) % partitions


def test_partition_of_a_field_value() -> None:
    assert topic("transactions").partition_for("u-1042") == partition_for(b"u-1042", 12)
