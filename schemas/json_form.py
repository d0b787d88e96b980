"""Records as JSON: plain values, null for what is not there, numbers as they are."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.avro_types import Array, Enumeration, Map, Nullable, Primitive, Record, Type

_INT32 = 2**31
_INT64 = 2**63


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
        return isinstance(value, str) and is_utf8(value)
    if name == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if name == "double":
        return isinstance(value, (int, float))
    limit = _INT32 if name == "int" else _INT64
    return isinstance(value, int) and -limit <= value < limit


def is_utf8(text: str) -> bool:
    """Whether a text can be written as UTF-8: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong(path: str, what: str) -> str:
    return f"{path or 'the record'} {what}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
