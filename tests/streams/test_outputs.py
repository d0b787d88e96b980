"""Rows reach Kafka acknowledged, under their key, and what does not is an error that time mends."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas.codec import decode_record, writer_schema
from schemas.frames import DEAD_LETTER_COLUMNS
from schemas.partitioner import partition_for
from schemas.subjects import subject
from streams.outputs import OUTPUTS, Output, Outputs, OutputUnavailable
from streams.popularity import WINDOW_COLUMNS
from streams.writes import Write
from tests.streams.cluster import make_topic

START = datetime(2026, 3, 1, 10, tzinfo=UTC)


def renamed(table: str, topic: str) -> dict[str, Output]:
    output = OUTPUTS[table]
    return {table: replace(output, topic=replace(output.topic, name=topic))}


def windows(count: int) -> pl.DataFrame:
    counts = dict.fromkeys(("views", "clicks", "add_to_carts", "purchases"), 1)
    rows = [
        {
            "day": START.date(),
            "window_start": START,
            "tenant_id": "t",
            "product_id": f"p{number}",
            "log_epoch": 1,
            "log_partition": 2,
            "as_of": number,
            **counts,
        }
        for number in range(count)
    ]
    return pl.DataFrame(rows, schema=WINDOW_COLUMNS)


def read(bootstrap: str, topic: str, partitions: int, count: int) -> list[tuple[str, int, bytes]]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    found = [message for message in consumer.consume(count, timeout=20) if message.error() is None]
    consumer.close()
    return [((m.key() or b"").decode(), m.partition(), m.value() or b"") for m in found]


@pytest.mark.servers
def test_each_row_is_a_record_under_its_key_in_the_partition_of_the_key(kafka: str) -> None:
    topic = make_topic(kafka, 3)
    outputs = Outputs({"bootstrap.servers": kafka}, outputs=renamed("speed_products", topic))
    outputs.send(Write("speed_products", windows(25_000)), 41)
    outputs.confirm()
    found = read(kafka, topic, 3, 25_000)
    contract = subject("product-popularity").latest
    schemas = {41: writer_schema(41, contract.text)}
    records = [decode_record(value, schemas, contract) for _, _, value in found]
    assert {record["productId"]: record["asOf"] for record in records} == {f"p{n}": n for n in range(25_000)}
    assert all(partition == partition_for(key.encode(), 3) for key, partition, _ in found)
    assert [key for key, _, _ in found] == [record["productId"] for record in records]


@pytest.mark.servers
def test_a_dead_letter_that_fills_the_topics_bound_goes_without_its_bytes(kafka: str) -> None:
    topic = make_topic(kafka, 1)
    row = {
        "topic": "user-events",
        "log_epoch": 1,
        "log_partition": 0,
        "append_time": START,
        "reason": "truncated",
        "message": "short",
        "key": b"k",
    }
    rows = [{**row, "log_offset": n, "value": value} for n, value in enumerate([b"x" * 1_048_576, b"\xff", None])]
    outputs = Outputs({"bootstrap.servers": kafka}, outputs=renamed("speed_dead_letters", topic))
    outputs.send(Write("speed_dead_letters", pl.DataFrame(rows, schema=DEAD_LETTER_COLUMNS)), 41)
    outputs.confirm()
    contract = subject("dead-letter").latest
    schemas = {41: writer_schema(41, contract.text)}
    records = [decode_record(value, schemas, contract) for _, _, value in read(kafka, topic, 1, 3)]
    assert {record["logOffset"]: record["value"] for record in records} == {0: None, 1: b"\xff", 2: None}


def test_a_broker_that_is_away_is_an_error_and_nothing_comes_later() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        outputs = Outputs({"bootstrap.servers": f"127.0.0.1:{closed.getsockname()[1]}"}, seconds=0.5)
        outputs.send(Write("speed_products", windows(3)), 41)
        with pytest.raises(OutputUnavailable) as refused:
            outputs.confirm()
        assert refused.value.waiting == 3
        outputs.confirm()
