"""The servers of the stack do what the rest of Rivermeet relies on."""

from __future__ import annotations

import httpx
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

pytestmark = pytest.mark.servers


def test_kafka_takes_records_only_for_topics_that_were_created(kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic("made", num_partitions=3)])["made"].result(10)

    outcomes: dict[str, bool] = {}
    producer = Producer({"bootstrap.servers": kafka, "message.timeout.ms": 3000})
    for topic in ("made", "never-made"):
        producer.produce(topic, b"x", on_delivery=lambda error, m: outcomes.__setitem__(m.topic(), error is None))
    producer.flush(10)

    assert outcomes == {"made": True, "never-made": False}


def test_registry_speaks_the_confluent_api(registry_url: str) -> None:
    answer = httpx.post(f"{registry_url}/subjects/colour-value/versions", json={"schema": '"string"'})

    assert answer.status_code == 200
    assert httpx.get(f"{registry_url}/schemas/ids/{answer.json()['id']}").json()["schema"] == '"string"'
