"""An entity as the key of its rows: Feast's own encoding, as text of hexadecimal digits.

Feast encodes message by message; ours are texts under few names, so what does not change is encoded once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from feature_store.feast_import import EntityKey, Value, ValueType, serialize_entity_key, serialize_entity_key_prefix

ENCODING = 3
"""Feast's number of the encoding, as in feature_store.yaml."""
_HEAD = struct.Struct("<II")
_TEXT = int(ValueType.STRING.value)


def key_of(join_keys: tuple[str, ...], entity: Sequence[str]) -> str:
    """The key of an entity whose values are in the order of `join_keys`."""
    order, names = _beginning(join_keys)
    parts = [names]
    for place in order:
        text = entity[place].encode()
        parts += (_HEAD.pack(_TEXT, len(text)), text)
    return b"".join(parts).hex()


def key_of_message(key: EntityKey) -> str:
    """The key of an entity as Feast hands it over, whatever the types of its values."""
    encoded: bytes = serialize_entity_key(key, ENCODING)
    return encoded.hex()


def keys_of_values(entities: Iterable[Mapping[str, Value]]) -> list[str]:
    """The keys of entities given as join key to value."""
    return [_key_of_values(entity) for entity in entities]


def _key_of_values(entity: Mapping[str, Value]) -> str:
    if all(value.HasField("string_val") for value in entity.values()):
        return key_of(tuple(entity), [value.string_val for value in entity.values()])
    return key_of_message(EntityKey(join_keys=entity.keys(), entity_values=entity.values()))


@lru_cache(maxsize=256)
def _beginning(join_keys: tuple[str, ...]) -> tuple[tuple[int, ...], bytes]:
    """In which order the values follow, and what comes before them."""
    order = tuple(sorted(range(len(join_keys)), key=join_keys.__getitem__))
    return order, serialize_entity_key_prefix(sorted(join_keys), ENCODING)
