"""Avro schemas as frozen values: the part of Avro that is read and written here, without room for bombs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PRIMITIVES = frozenset({"boolean", "int", "long", "float", "double", "string", "bytes"})
MAX_NODES = 1_000


class UnsupportedSchema(ValueError):
    """The schema uses a type that is not read here; `reason` says which. Records written with it are dead letters."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; write with a schema of records, enums, arrays, maps and [null, T] unions")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Primitive:
    """One of `PRIMITIVES`; logical types are read as what they annotate."""

    name: str


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A choice of symbols, read as a string."""

    name: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """A list of items."""

    items: Type


@dataclass(frozen=True, slots=True)
class Map:
    """String keys to values."""

    values: Type


@dataclass(frozen=True, slots=True)
class Nullable:
    """A union of null and one other type, in either order."""

    inner: Type
    null_first: bool


@dataclass(frozen=True, slots=True)
class Default:
    """The default of a field as JSON text, so that it can be hashed."""

    text: str

    @property
    def value(self) -> Any:
        """The default as a Python value."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record; `default` is None when the field has none."""

    name: str
    type: Type
    default: Default | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A record with at least one field; `name` is without namespace, which resolution does not look at."""

    name: str
    fields: tuple[Field, ...]


Type = Primitive | Enumeration | Array | Map | Nullable | Record


def parse(text: str) -> Record:
    """Read the JSON text of a record schema.

    Raises UnsupportedSchema for text that is no Avro schema, for other types, and for what lets few bytes claim
    many items: null outside a union, records without fields, recursion, and schemas that unfold to over `MAX_NODES`
    types.
    """
    try:
        parsed = _Reader().read(json.loads(text), "")
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, RecursionError) as error:
        raise UnsupportedSchema(f"not an Avro schema ({error!r})") from error
    if not isinstance(parsed, Record):
        raise UnsupportedSchema("the outermost type is no record")
    return parsed


@dataclass
class _Reader:
    """Unfolds named types where they are used."""

    named: dict[str, Type] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    nodes: int = 0

    def read(self, schema: Any, namespace: str) -> Type:
        if isinstance(schema, list):
            return self._union(schema, namespace)
        if isinstance(schema, str):
            return self._named_or_primitive(schema, namespace)
        kind = schema["type"]
        if kind == "record":
            return self._record(schema, namespace)
        if kind == "enum":
            return self._name(schema, namespace, Enumeration(_short(schema["name"]), tuple(schema["symbols"])))
        if kind == "array":
            return self._count(Array(self.read(schema["items"], namespace)))
        if kind == "map":
            return self._count(Map(self.read(schema["values"], namespace)))
        return self.read(kind, namespace)

    def _count(self, parsed: Type, nodes: int = 1) -> Type:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise UnsupportedSchema(f"it unfolds to more than {MAX_NODES} types")
        return parsed

    def _named_or_primitive(self, name: str, namespace: str) -> Type:
        if name in PRIMITIVES:
            return self._count(Primitive(name))
        full = _full_name(name, namespace)
        if full in self.open:
            raise UnsupportedSchema(f"{full} contains itself")
        if full not in self.named:
            raise UnsupportedSchema(f"type {name} is not read")
        return self._count(self.named[full], _size(self.named[full]))

    def _union(self, branches: list[Any], namespace: str) -> Type:
        others = [branch for branch in branches if branch != "null"]
        if len(branches) != len(others) + 1 or len(others) != 1:
            raise UnsupportedSchema("a union is not [null, T]")
        inner = self.read(others[0], namespace)
        if isinstance(inner, Nullable):
            raise UnsupportedSchema("a union stands directly in a union")
        return self._count(Nullable(inner, branches[0] == "null"))

    def _name(self, schema: Mapping[str, Any], namespace: str, parsed: Type) -> Type:
        self.named[_full_name(schema["name"], schema.get("namespace", namespace))] = parsed
        return self._count(parsed)

    def _record(self, schema: Mapping[str, Any], namespace: str) -> Type:
        full = _full_name(schema["name"], schema.get("namespace", namespace))
        self.open.add(full)
        fields = tuple(self._field(entry, full.rpartition(".")[0]) for entry in schema["fields"])
        self.open.remove(full)
        if not fields:
            raise UnsupportedSchema(f"record {full} has no fields")
        return self._name(schema, namespace, Record(_short(schema["name"]), fields))

    def _field(self, entry: Mapping[str, Any], namespace: str) -> Field:
        default = Default(json.dumps(entry["default"])) if "default" in entry else None
        return Field(entry["name"], self.read(entry["type"], namespace), default, tuple(entry.get("aliases", ())))


def _full_name(name: str, namespace: str | None) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _size(parsed: Type) -> int:
    """How many types a parsed type unfolds to."""
    match parsed:
        case Record():
            return 1 + sum(_size(entry.type) for entry in parsed.fields)
        case Array():
            return 1 + _size(parsed.items)
        case Map():
            return 1 + _size(parsed.values)
        case Nullable():
            return 1 + _size(parsed.inner)
        case _:
            return 1
