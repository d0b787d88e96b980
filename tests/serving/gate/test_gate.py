"""The gate over HTTP, with Kafka and the registry behind it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from pydantic import SecretStr

from infra.settings import Api, Kafka, Settings
from schemas.codec import decode_record
from schemas.registry import Registry
from schemas.subjects import subject
from schemas.topics import USER_EVENTS
from serving.gate.body import MAX_BODY_BYTES
from tests.serving.api.conftest import NOW, STACK_KEY, Server
from tests.serving.gate.test_judging import EVENT, ORDER
from tests.support.stack import RunStack

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def stack(run_stack: RunStack) -> Settings:
    return run_stack.server("topics", "schemas")


@pytest.fixture
def server(stack: Settings, tmp_path: Path) -> Iterator[Server]:
    made = Server(
        Settings(home=tmp_path, kafka=stack.kafka, registry=stack.registry, api=Api(key=SecretStr(STACK_KEY)))
    )
    with made.http:
        yield made


def post(server: Server, body: Any, path: str = "/v1/events", tenant: str = "acme", **headers: str) -> Any:
    token = server.caller(tenant, scopes=("write",)).token
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.http.post(path, content=content, headers={"X-API-Key": token, **headers})


def records_of(settings: Settings, session: str) -> list[dict[str, Any]]:
    """The events of a session that lie in Kafka."""
    consumer = Consumer(settings.kafka.client_config() | {"group.id": "test-gate"})
    count = len(consumer.list_topics(USER_EVENTS.name, timeout=10).topics[USER_EVENTS.name].partitions)
    partition = TopicPartition(USER_EVENTS.name, USER_EVENTS.partition_for(session), 0)
    assert count == USER_EVENTS.partitions
    _, end = consumer.get_watermark_offsets(partition, timeout=10)
    consumer.assign([partition])
    found: list[Any] = []
    while len(found) < end:
        found += consumer.consume(1000, 5)
    consumer.close()
    contract, registry = subject("user-event").latest, Registry(settings.registry.url)
    ids = registry.register(USER_EVENTS)
    schemas = {ids[2]: registry.resolve(ids[2])}
    return [decode_record(one.value(), schemas, contract) for one in found if one.key() == session.encode()]


def counted(server: Server, outcome: str) -> float:
    """Events that the gate has counted. Where Feast was loaded all applications of the process count into one file."""
    label = f'rivermeet_gate_records_total{{kind="events",outcome="{outcome}"}} '
    found = (
        line.removeprefix(label) for line in server.http.get("/metrics").text.splitlines() if line.startswith(label)
    )
    return float(next(found, "0"))


def test_accepted_means_in_kafka_with_the_tenant_of_the_key(server: Server, stack: Settings) -> None:
    bad = EVENT | {"sessionId": "gate-1", "eventId": "e2", "eventType": "look"}
    post(server, {"events": [EVENT | {"sessionId": "gate-0"}, bad]})
    before = {outcome: counted(server, outcome) for outcome in ("accepted", "refused")}
    answer = post(server, {"events": [EVENT | {"sessionId": "gate-1"}, bad]})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert (document["accepted"], document["duplicates"], document["refused"]) == (1, 0, 1)
    assert [one["outcome"] for one in document["results"]] == ["accepted", "refused"]
    assert document["results"][1]["reason"] == "not_the_contract"
    (record,) = records_of(stack, "gate-1")
    assert (record["tenantId"], record["receivedAt"]) == ("acme", round(NOW.timestamp() * 1000))
    assert {outcome: counted(server, outcome) - before[outcome] for outcome in before} == {"accepted": 1, "refused": 1}


def test_a_batch_sent_again_is_a_duplicate(server: Server, stack: Settings) -> None:
    batch = {"events": [EVENT | {"sessionId": "gate-2", "eventId": f"e{n}"} for n in range(3)]}
    zipped = gzip.compress(json.dumps(batch).encode())
    assert post(server, zipped, **{"Content-Encoding": "gzip"}).json()["accepted"] == 3
    assert post(server, batch).json()["duplicates"] == 3
    assert post(server, batch, tenant="other").json()["accepted"] == 3
    assert [one["tenantId"] for one in records_of(stack, "gate-2")] == ["acme"] * 3 + ["other"] * 3


def test_orders_are_taken(server: Server) -> None:
    answer = post(server, {"transactions": [ORDER]}, "/v1/transactions")
    assert answer.json()["accepted"] == 1
    assert server.http.get("/metrics").text.count('kind="transactions",outcome="accepted"') >= 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"events": []}', 400),
        (b"[]", 400),
        (b'{"events": [NaN]}', 400),
        (json.dumps({"events": [0] * 1001}).encode(), 400),
        (b" " * (MAX_BODY_BYTES + 1), 413),
    ],
)
def test_a_body_that_cannot_be_read_is_told(server: Server, body: bytes, status: int) -> None:
    answer = post(server, body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_bomb_is_not_inflated(server: Server) -> None:
    bomb = gzip.compress(b" " * (MAX_BODY_BYTES * 4))
    assert post(server, bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    assert post(server, bomb[:-9], **{"Content-Encoding": "gzip"}).status_code == 413
    assert post(server, gzip.compress(b"{}")[:-4], **{"Content-Encoding": "gzip"}).status_code == 400
    assert post(server, b"x", **{"Content-Encoding": "gzip"}).status_code == 400
    assert post(server, b"x", **{"Content-Encoding": "br"}).status_code == 415


def test_a_key_opens_what_its_scopes_name(server: Server) -> None:
    reader, writer, both = (server.caller("acme", scopes=s).token for s in (("read",), ("write",), ("read", "write")))
    body = json.dumps({"events": [EVENT | {"sessionId": "gate-3"}]})
    assert server.http.post("/v1/events", content=body, headers={"X-API-Key": reader}).status_code == 403
    assert server.http.get("/v1/publications", headers={"X-API-Key": writer}).status_code == 403
    assert server.http.post("/v1/events", content=body).status_code == 401
    assert server.http.post(f"/v1/events?key={both}", content=body).status_code == 403
    assert server.http.post(f"/v1/events?key={reader}", content=body).status_code == 403
    assert server.http.post(f"/v1/events?key={writer}", content=body).status_code == 200
    assert server.http.post(f"/v1/events?key={writer}&tenant=other", content=body).status_code == 403


def test_kafka_away_is_told_at_once_and_nothing_is_accepted(tmp_path: Path) -> None:
    made = Server(Settings(home=tmp_path, kafka=Kafka(bootstrap="127.0.0.1:1"), api=Api(key=SecretStr(STACK_KEY))))
    with made.http:
        for _ in range(2):
            answer = post(made, {"events": [EVENT]})
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert answer.json()["type"] == "urn:rivermeet:problem:log-unavailable"


def test_too_much_at_once_is_asked_to_wait(stack: Settings, tmp_path: Path) -> None:
    limits = Api(records_per_second=2)
    made = Server(Settings(home=tmp_path, kafka=stack.kafka, registry=stack.registry, api=limits))
    with made.http:
        batch = {"events": [EVENT | {"sessionId": "gate-4", "eventId": f"e{n}"} for n in range(4)]}
        assert post(made, batch).status_code == 200
        answer = made.http.post(
            "/v1/events", json=batch, headers={"X-API-Key": made.caller("acme", scopes=("write",)).token}
        )
        assert answer.status_code == 200, "another key has a share of its own"
        again = made.caller("acme", scopes=("write",)).token
        for status in (200, 429):
            answer = made.http.post("/v1/events", json=batch, headers={"X-API-Key": again})
            assert answer.status_code == status
        assert int(answer.headers["Retry-After"]) == 2
