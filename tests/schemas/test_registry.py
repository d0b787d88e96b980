"""The registry takes our contracts, refuses a breaking one, and answers for ids; a lost one decides nothing."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from schemas.codec import RefusedSchema, WriterSchema, decode_user_events, encode_record, resolve
from schemas.reasons import Reason
from schemas.registry import COMPATIBILITY, IncompatibleVersion, Registry, RegistryUnavailable
from schemas.subjects import SchemaVersion, Subject, subject, subjects
from schemas.topics import TOPICS, USER_EVENTS, Topic
from tests.schemas.examples import examples


@pytest.fixture(scope="module")
def registry(registry_url: str) -> Registry:
    return Registry(registry_url)


@pytest.fixture(scope="module")
def ids(registry: Registry) -> dict[str, dict[int, int]]:
    return registry.register_all()


@pytest.mark.servers
def test_every_version_gets_an_id_that_stays(registry: Registry, ids: dict[str, dict[int, int]]) -> None:
    wanted = {topic.name: len(subject(topic.subject).versions) if topic.subject else 0 for topic in TOPICS.values()}

    assert {name: len(versions) for name, versions in ids.items()} == wanted
    assert registry.register_all() == ids


@pytest.mark.servers
def test_an_id_resolves_to_the_schema_it_was_given_for(registry: Registry, ids: dict[str, dict[int, int]]) -> None:
    for version, schema_id in ids["user-events"].items():
        found = registry.resolve(schema_id)
        assert isinstance(found, WriterSchema)
        assert found.type == subject("user-event").version(version).type


@pytest.mark.servers
def test_records_decode_with_resolved_schemas(registry: Registry, ids: dict[str, dict[int, int]]) -> None:
    whole = [example for example in examples("good", "user-event") if "avro" not in example.content]
    values = [encode_record(one.record or {}, one.writer, ids["user-events"][one.writer.version]) for one in whole]

    decoded = decode_user_events(values, resolve(values, registry.resolve))

    assert decoded.rejects.is_empty()
    assert len(decoded.frame) == len(whole)


@pytest.mark.servers
def test_an_id_that_the_registry_does_not_have_is_refused(registry: Registry, ids: dict[str, dict[int, int]]) -> None:
    found = registry.resolve(0x7FFFFFFF)

    assert isinstance(found, RefusedSchema)
    assert found.reason is Reason.UNKNOWN_SCHEMA


@pytest.mark.servers
def test_a_breaking_version_is_refused(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = replace(USER_EVENTS, name="breaking-events")
    registry.register(topic)
    v2 = subject("user-event").latest
    text = v2.text.replace('"name":"tenantId","type":"string"', '"name":"tenantId","type":"long"').replace(
        '"default":"default"', '"default":0'
    )
    broken = SchemaVersion(v2.subject, 3, text, v2.type)
    monkeypatch.setitem(subjects(), "user-event", Subject("user-event", (*subject("user-event").versions, broken)))

    with pytest.raises(IncompatibleVersion) as refused:
        registry.register(topic)

    assert refused.value.version == 3
    assert COMPATIBILITY.value in str(refused.value)


@pytest.mark.servers
def test_a_registry_without_our_contracts_is_not_believed(registry_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = replace(USER_EVENTS, name="never-registered")
    monkeypatch.setattr("schemas.registry.USER_EVENTS", lost)

    with pytest.raises(RegistryUnavailable, match="register them again"):
        Registry(registry_url).resolve(0x7FFFFFFF)


def test_a_registry_that_is_down_decides_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        registry = Registry(f"http://127.0.0.1:{unused.getsockname()[1]}", timeout_seconds=0.2, retries=1)

        with pytest.raises(RegistryUnavailable):
            registry.resolve(1)
        with pytest.raises(RegistryUnavailable):
            registry.register(USER_EVENTS)


def test_a_topic_without_contract_registers_nothing() -> None:
    assert Registry("http://127.0.0.1:9").register(Topic("free", "key", "key", 1, None)) == {}
