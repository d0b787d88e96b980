"""The contracts as clients of the gate see them: JSON Schema made from Avro, and what is wrong with a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.avro_types import Array, Enumeration, Map, Nullable, Primitive, Record, Type
from schemas.subjects import subject
from schemas.topics import TRANSACTIONS, USER_EVENTS, Topic

_JSON_TYPES = {"string": "string", "int": "integer", "long": "integer", "double": "number", "boolean": "boolean"}
_INT32 = 2**31
_INT64 = 2**63


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


def objection(value: object, kind: Type, path: str = "") -> str | None:
    """What is wrong with a JSON value that should be of this Avro type, with the path of the field; None: nothing."""
    match kind:
        case Record(_, fields):
            return _record(value, {one.name: one.type for one in fields}, path)
        case Nullable(inner, _):
            return None if value is None else objection(value, inner, path)
        case Enumeration(_, symbols):
            return None if value in symbols else _wrong(path, f"is none of {', '.join(symbols)}")
        case Map(values):
            return _entries(value, values, path)
        case Array(items):
            return _items(value, items, path)
        case Primitive(name):
            return None if _fits(value, name) else _wrong(path, f"is no {name}")


def _record(value: object, fields: Mapping[str, Type], path: str) -> str | None:
    if not isinstance(value, dict):
        return _wrong(path, "is no object")
    if unknown := sorted(value.keys() - fields.keys()):
        return _wrong(_join(path, unknown[0]), "is no field of the contract")
    if missing := [name for name in fields if name not in value]:
        return _wrong(_join(path, missing[0]), "is missing")
    return next((why for name, of in fields.items() if (why := objection(value[name], of, _join(path, name)))), None)


def _entries(value: object, values: Type, path: str) -> str | None:
    if not isinstance(value, dict):
        return _wrong(path, "is no object")
    return next((why for name, one in value.items() if (why := objection(one, values, _join(path, name)))), None)


def _items(value: object, items: Type, path: str) -> str | None:
    if not isinstance(value, list):
        return _wrong(path, "is no list")
    return next((why for i, one in enumerate(value) if (why := objection(one, items, f"{path}[{i}]"))), None)


def _fits(value: object, name: str) -> bool:
    if name == "string":
        return isinstance(value, str) and _is_utf8(value)
    if name == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if name == "double":
        return isinstance(value, (int, float))
    limit = _INT32 if name == "int" else _INT64
    return isinstance(value, int) and -limit <= value < limit


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong(path: str, what: str) -> str:
    return f"{path or 'the record'} {what}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


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
