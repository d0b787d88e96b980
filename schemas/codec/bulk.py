"""Many records of one writer schema to Arrow at once: every byte consumed, and no bad record spoils its neighbours.

The values are read end to end as one array; only where that fails, value by value.
A guard word is put behind each value and read back as a last field. It is a word that occurs nowhere in the data and
has no part of itself at its end, so it is read back exactly when the record ended where the value did.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyruhvro

from schemas.avro_types import Array, Enumeration, Map, Nullable, Primitive, Record, Type
from schemas.codec.scan import check
from schemas.codec.wire import HEADER_BYTES
from schemas.reasons import Reason, Refused

_FEW = 16
"""Parts of so many records are scanned one by one: that is what naming the reasons takes anyway."""

_NO_MORE = b"\0"
_SEVEN_BITS, _CONTINUES = 0x7F, 0x80
_GUARD_BYTES = 8
_PIECE_BYTES = 1 << 17
"""What is looked through at a time stays in the processor's cache."""
_FIRST_GUARD = b"\xff" + b"\x7e" * (_GUARD_BYTES - 1)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that does not decode: its position among the values handed in, the reason code, and what was found."""

    position: int
    reason: Reason
    message: str


def guard_for(data: bytes | memoryview) -> bytes:
    """A guard word that does not occur in `data`; the same data gives the same word.

    Its first byte is 0xff and no other is. If the first word occurs, the next ones come from a digest of the data,
    which nobody can write into the data that it is the digest of.
    """
    guard, digest = _FIRST_GUARD, b""
    while _occurs(guard, data):
        digest = hashlib.blake2b(digest or data, digest_size=_GUARD_BYTES).digest()
        guard = b"\xff" + bytes(byte & 0x7F for byte in digest[1:])
    return guard


def _occurs(guard: bytes, data: bytes | memoryview) -> bool:
    """Whether the data holds the guard; its first two bytes are looked for first, since text never has them."""
    octets = np.frombuffer(data, np.uint8)
    pieces = range(0, len(octets) - 1, _PIECE_BYTES)
    return any(_begins(octets[at : at + _PIECE_BYTES + 1], guard) for at in pieces) and guard in bytes(data)


def _begins(octets: npt.NDArray[np.uint8], guard: bytes) -> bool:
    starts = np.flatnonzero(octets[:-1] == guard[0])
    return bool((octets[starts + 1] == guard[1]).any())


@cache
def objection(writer: Record) -> str | None:
    """Why the bulk decoder cannot read this schema at all; None when it can."""
    if _has_bytes(writer):
        return "bytes are not read in this topic"
    try:
        pyruhvro.deserialize_array([], _framed(writer))
    except ValueError as error:
        return str(error)
    return None


def decode_bulk(
    values: Sequence[bytes], writer: Record, guard: bytes
) -> tuple[npt.NDArray[np.int64], pa.Array, list[Refusal]]:
    """Decode values that all begin with a header of the same schema.

    Answers the positions of the good records, these as one struct array of the writer's fields (ints as 64 bits,
    enums as strings), and the refusals. Finding k bad ones among n costs in the order of k log n bulk decodes of ever
    smaller parts.
    """
    good = np.arange(len(values))
    try:
        return good, _decode_joined(values, writer, guard), []
    except _BadPart:
        guarded = list(map(add, values, repeat(guard)))
        refusals = list(_refusals(guarded, writer, guard))
        good = np.delete(good, [refusal.position for refusal in refusals])
        batch = _decode([guarded[position] for position in good], writer, guard)
        return good, _body(batch.columns), refusals


class _BadPart(Exception):
    """At least one of the values does not decode; which one is not known."""


def _refusals(guarded: list[bytes], writer: Record, guard: bytes) -> Iterator[Refusal]:
    """The values that do not decode, by halving the parts that fail."""
    parts = [list(range(len(guarded)))]
    while parts:
        part = parts.pop()
        try:
            _decode([guarded[position] for position in part], writer, guard)
        except _BadPart as error:
            named = list(_scan(guarded, part, writer)) if len(part) <= _FEW else []
            yield from named
            bad = {refusal.position for refusal in named}
            if named:
                parts.append([position for position in part if position not in bad])
            elif len(part) == 1:
                yield Refusal(part[0], Reason.UNDECODABLE, str(error))
            else:
                parts += [part[: len(part) // 2], part[len(part) // 2 :]]


def _scan(guarded: list[bytes], part: list[int], writer: Record) -> Iterator[Refusal]:
    for position in part:
        try:
            check(guarded[position][:-_GUARD_BYTES], HEADER_BYTES, writer)
        except Refused as error:
            yield Refusal(position, error.reason, error.message)


def _decode_joined(values: Sequence[bytes], writer: Record, guard: bytes) -> pa.Array:
    """The records of all values, decoded end to end as one Avro array; raises _BadPart when one of them is bad.

    As many guards as records are in the data, and each record was read up to one of its own: so each ended where its
    value did.
    """
    data = b"".join((_zigzag(len(values)), *((guard.join(values), guard, _NO_MORE) if values else ()), guard))
    batch = _deserialize([data], _framed_array(writer))
    frames = batch.column(0).values
    _require_guards(pa.concat_arrays([frames.field(frames.type.num_fields - 1), batch.column(1)]), guard)
    return _body(frames.flatten())


def _decode(guarded: list[bytes], writer: Record, guard: bytes) -> pa.RecordBatch:
    """Decode all values; raises _BadPart when one of them is bad."""
    batch = _deserialize(guarded, _framed(writer))
    _require_guards(batch.column(batch.num_columns - 1), guard)
    return batch


def _deserialize(data: list[bytes], schema: str) -> pa.RecordBatch:
    try:
        batch = pyruhvro.deserialize_array(data, schema)
        batch.validate(full=True)
    except (ValueError, pa.ArrowInvalid) as error:
        raise _BadPart(str(error)) from error
    return batch


def _require_guards(read_back: pa.Array, guard: bytes) -> None:
    if (np.asarray(read_back).view(np.int64) != np.frombuffer(guard, np.int64)).any():
        raise _BadPart("the record does not end where the value does")


def _body(columns: Sequence[pa.Array]) -> pa.Array:
    """The record without the fields of the frame around it."""
    return pa.StructArray.from_arrays(columns[2:-1], names=[f"f{number}" for number in range(2, len(columns) - 1)])


def _zigzag(count: int) -> bytes:
    """A count as Avro writes it."""
    rest, octets = count << 1, bytearray()
    while rest > _SEVEN_BITS:
        octets.append(rest & _SEVEN_BITS | _CONTINUES)
        rest >>= 7
    return bytes(octets) + bytes([rest])


@cache
def _framed(writer: Record) -> str:
    """The writer's schema with header and guard as fields around it, so that values are decoded as they come.

    The names are ours, the wire is the same: a boolean reads the magic byte, a float the four bytes of the id, a
    double the guard. An int is read as long, since the decoder cuts what does not fit.
    """
    names = iter(range(10_000))
    body = _schema(writer, names)
    frame = [
        ("magic", "boolean"),
        ("id", "float"),
        *((entry["name"], entry["type"]) for entry in body["fields"]),
        ("guard", "double"),
    ]
    fields = [{"name": f"f{position}", "type": kind} for position, (_, kind) in enumerate(frame)]
    return json.dumps({"type": "record", "name": "Frame", "fields": fields})


@cache
def _framed_array(writer: Record) -> str:
    """The schema of an array of such frames, with a guard of its own behind it."""
    frames = {"name": "frames", "type": {"type": "array", "items": json.loads(_framed(writer))}}
    return json.dumps({"type": "record", "name": "Frames", "fields": [frames, {"name": "guard", "type": "double"}]})


def _schema(schema: Type, names: Any) -> Any:
    match schema:
        case Primitive(name):
            return "long" if name == "int" else name
        case Enumeration(_, symbols):
            return {"type": "enum", "name": f"T{next(names)}", "symbols": list(symbols)}
        case Nullable(inner, null_first):
            branches = ["null", _schema(inner, names)]
            return branches if null_first else branches[::-1]
        case Array(items):
            return {"type": "array", "items": _schema(items, names)}
        case Map(values):
            return {"type": "map", "values": _schema(values, names)}
        case Record(_, fields):
            entries = [
                {"name": f"f{position}", "type": _schema(entry.type, names)} for position, entry in enumerate(fields)
            ]
            return {"type": "record", "name": f"T{next(names)}", "fields": entries}


def _has_bytes(schema: Type) -> bool:
    """Whether the schema has a field of bytes, for which the bulk decoder has no column."""
    match schema:
        case Primitive(name):
            return name == "bytes"
        case Record(_, fields):
            return any(_has_bytes(entry.type) for entry in fields)
        case Array(inner) | Map(inner) | Nullable(inner):
            return _has_bytes(inner)
        case _:
            return False
