"""Topics for tests: records go to the partition that is named, and are read by a judge that needs no registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic, sleep
from uuid import uuid4

import polars as pl
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, TopicMetadata

from batch.consume import RawRecords
from batch.staging import Judged
from schemas.frames import DEAD_LETTER_COLUMNS, EVENT_COLUMNS
from schemas.topics import USER_EVENTS


@dataclass
class TestTopic:
    """A topic, and how many records each partition has."""

    __test__ = False

    bootstrap: str
    name: str
    ends: dict[int, int] = field(default_factory=dict)

    def send(self, records: Mapping[int, list[bytes]]) -> None:
        """Appends the values to their partitions and waits until they are there."""
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for partition, values in records.items():
            for value in values:
                producer.produce(self.name, value, key=b"k", partition=partition)
            self.ends[partition] += len(values)
        assert producer.flush(30) == 0

    def delete_before(self, offsets: Mapping[int, int]) -> None:
        """Deletes the first records, as retention does."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        asked = admin.delete_records([TopicPartition(self.name, p, offset) for p, offset in offsets.items()])
        for done in asked.values():
            done.result(timeout=30)


def new_topic(bootstrap: str, partitions: int, name: str = "") -> TestTopic:
    topic = TestTopic(bootstrap, name or f"test-{uuid4().hex}", dict.fromkeys(range(partitions), 0))
    admin = AdminClient({"bootstrap.servers": bootstrap})
    config = USER_EVENTS.config()
    for made in admin.create_topics([NewTopic(topic.name, partitions, 1, config=config)]).values():
        made.result(timeout=30)
    deadline = monotonic() + 30
    # The broker learns of a topic a moment after its controller has made it.
    while len(admin.list_topics(timeout=30).topics.get(topic.name, TopicMetadata()).partitions) < partitions:
        assert monotonic() < deadline
        sleep(0.02)
    return topic


def event(session: str, event_id: str, at: str, kind: str = "page_view", **more: str) -> bytes:
    """The value of a record that `judge_json` accepts; `at` is an ISO time."""
    return json.dumps({"session": session, "id": event_id, "at": at, "kind": kind, **more}).encode()


def judge_json(raw: RawRecords) -> Judged:
    """Events as `event` writes them; all else is a dead letter."""
    good: list[dict[str, object]] = []
    dead: list[dict[str, object]] = []
    for offset, time, key, value in zip(raw.offsets, raw.append_times, raw.keys, raw.values, strict=True):
        position: dict[str, object] = {
            "log_epoch": raw.epoch,
            "log_partition": raw.partition,
            "log_offset": offset,
            "append_time": time,
        }
        try:
            good.append(_row(json.loads(value or b"")) | position)
        except ValueError as error:
            dead.append(
                {"topic": raw.topic, "reason": "x", "message": str(error), "key": key, "value": value} | position
            )
    return Judged(_frame(good, EVENT_COLUMNS), _frame(dead, DEAD_LETTER_COLUMNS))


def _row(record: dict[str, str]) -> dict[str, object]:
    at = pl.Series([record["at"]]).str.to_datetime(time_unit="ms", time_zone="UTC")[0]
    blank: dict[str, object] = {
        **dict.fromkeys(("device_class", "browser", "os"), "other"),
        "platform": "web",
        "user_agent": "",
        "ip": "",
        "experiments": [],
        "schema_id": 1,
    }
    return blank | {
        "tenant_id": record.get("tenant", "default"),
        "session_id": record["session"],
        "event_id": record["id"],
        "user_id": record.get("user"),
        "event_type": record["kind"],
        "event_time": at,
        "product_id": record.get("product"),
        "page": record.get("page"),
        "properties": [{"key": key, "value": value} for key, value in record.items()],
    }


def _frame(rows: list[dict[str, object]], columns: dict[str, pl.DataType]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema={**columns, "append_time": pl.Int64()})
    return frame.with_columns(pl.col("append_time").cast(columns["append_time"]))
