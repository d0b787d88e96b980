"""The contracts as clients of the gate see them: JSON Schema made from Avro."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.avro_types import Record
from schemas.subjects import subject
from schemas.topics import TRANSACTIONS, USER_EVENTS, Topic

_JSON_TYPES = {"string": "string", "int": "integer", "long": "integer", "double": "number", "boolean": "boolean"}


@dataclass(frozen=True)
class Intake:
    """One kind of record that the gate takes.

    `name` is the member of the body that holds the list; `identity` the fields that name a duplicate; `filled` the
    fields that the gate sets itself and nobody may send; `optional` what a client may leave out, with its value.
    """

    topic: Topic
    name: str
    id_field: str
    identity: tuple[str, ...]
    filled: frozenset[str]
    optional: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> Record:
        """The newest version of the contract."""
        return subject(str(self.topic.subject)).latest.type

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of one record as clients send it."""
        document = subject(str(self.topic.subject)).latest.schema
        return _record_schema(document, self.filled, frozenset(self.optional))


EVENTS = Intake(
    USER_EVENTS,
    "events",
    "eventId",
    ("sessionId", "eventId"),
    frozenset({"tenantId", "receivedAt"}),
    {"userId": None, "properties": {}, "context": {}, "experiments": {}},
)
ORDERS = Intake(
    TRANSACTIONS,
    "transactions",
    "transactionId",
    ("transactionId", "status", "timestamp"),
    frozenset({"tenantId"}),
)
CONTEXT_OPTIONAL = frozenset({"userAgent", "ip", "platform", "referrer"})
"""Fields of an event's context that the gate takes from the request when the client leaves them out."""


def _record_schema(avro: Mapping[str, Any], hidden: frozenset[str], optional: frozenset[str]) -> dict[str, Any]:
    fields = [one for one in avro["fields"] if one["name"] not in hidden]
    required = [one["name"] for one in fields if one["name"] not in optional and "default" not in one]
    properties = {one["name"]: _schema(one["type"]) | {"description": one["doc"]} for one in fields}
    needed = {"required": required} if required else {}
    return {"type": "object", "properties": properties, "additionalProperties": False, **needed}


def _schema(kind: Any) -> dict[str, Any]:
    if isinstance(kind, list):
        return {"anyOf": [{"type": "null"}, *(_schema(one) for one in kind if one != "null")]}
    if isinstance(kind, str):
        bounds = {"int": {"format": "int32"}, "long": {"format": "int64"}}.get(kind, {})
        return {"type": _JSON_TYPES[kind], **bounds}
    if kind["type"] == "enum":
        return {"type": "string", "enum": kind["symbols"]}
    if kind["type"] == "map":
        return {"type": "object", "additionalProperties": _schema(kind["values"])}
    if kind["type"] == "array":
        return {"type": "array", "items": _schema(kind["items"])}
    if kind["type"] == "record":
        return _record_schema(kind, frozenset(), CONTEXT_OPTIONAL)
    return _schema(kind["type"])
