"""A message on its way to Kafka, made without Kafka: whoever sends it encodes the value and picks the partition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

USER_EVENTS = "user-events"
TRANSACTIONS = "transactions"

Damage = Literal["truncated", "unknown_schema_id"]

HEADER_BYTES = 5
UNKNOWN_SCHEMA_ID = 0x7FFF_FFFF


@dataclass(frozen=True, slots=True)
class Message:
    """One record for a topic.

    `version` names the Avro schema of the topic's value to encode a mapping with; bytes are sent as they are. Once
    encoded, a message with `damage` goes through `damaged`. Keys are text, sent as UTF-8; `partition_key` is what the
    topic is partitioned by. `send_time_ms` is when a producer would send it; messages come in that order.
    """

    topic: str
    key: str
    partition_key: str
    version: int
    value: Mapping[str, Any] | bytes
    send_time_ms: int
    damage: Damage | None = None


def damaged(encoded: bytes, damage: Damage) -> bytes:
    """Break an encoded record so that no reader can decode it: cut in half, or under a schema id nobody has."""
    if damage == "truncated":
        return encoded[: HEADER_BYTES + (len(encoded) - HEADER_BYTES) // 2]
    return encoded[:1] + UNKNOWN_SCHEMA_ID.to_bytes(4, "big") + encoded[HEADER_BYTES:]
