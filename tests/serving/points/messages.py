"""Records of the topics that the copier reads, and a way to send them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from confluent_kafka import Producer

from infra.settings import Settings
from schemas.codec import encode_record
from schemas.registry import Registry
from schemas.subjects import subject
from schemas.topics import PRODUCT_POPULARITY, SESSION_METRICS, Topic

DAY = date(2026, 3, 10)
NOON_MS = round(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp() * 1000)


def session(start_ms: int = NOON_MS, **values: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("events", "pageViews", "clicks", "searches", "addToCarts", "purchases", "uniquePages"), 1)
    return {
        "sessionStart": start_ms,
        "sessionEnd": start_ms + 1000,
        "userId": "u1",
        "visitorId": "u1",
        **counts,
        "durationMs": 1000,
        "entryPage": "/",
        "exitPage": "/",
        "referrer": None,
        "platform": "web",
        "deviceClass": "other",
        "country": None,
        "products": ["p"],
        "experiments": [],
        "converted": False,
        "engaged": False,
        "overlong": False,
    } | values


def group(session_id: str, as_of: int, *sessions: dict[str, Any], **values: Any) -> tuple[Topic, dict[str, Any]]:
    key = {"tenantId": "acme", "sessionId": session_id, "logEpoch": 1, "logPartition": 0, "day": DAY}
    return SESSION_METRICS, {**key, "asOf": as_of, "sessions": list(sessions)} | values


def window(product_id: str, as_of: int, views: int, **values: Any) -> tuple[Topic, dict[str, Any]]:
    key = {"tenantId": "acme", "productId": product_id, "windowStart": NOON_MS, "logEpoch": 1, "logPartition": 0}
    return PRODUCT_POPULARITY, {
        **key,
        "asOf": as_of,
        "views": views,
        "clicks": 0,
        "addToCarts": 0,
        "purchases": 0,
    } | values


def send(settings: Settings, messages: Iterable[tuple[Topic, dict[str, Any]]]) -> None:
    producer = Producer(settings.kafka.client_config())
    registry = Registry(settings.registry.url)
    for topic, record in messages:
        contract = subject(str(topic.subject)).latest
        value = encode_record(record, contract, registry.register(topic)[contract.version])
        entity = record[topic.key]
        producer.produce(topic.name, value, entity.encode(), topic.partition_for(entity))
    assert producer.flush(20) == 0
