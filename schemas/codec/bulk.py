"""Many records of one writer schema to Arrow at once: every byte consumed, and no bad record spoils its neighbours.

A guard word is put behind each value and read back as a last field. It is a word that occurs nowhere in the data and has no
part of itself at its end, so it is read back exactly when the record ended where the value did.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyruhvro

from schemas.avro_types import Array, Enumeration, Map, Nullable, Primitive, Record, Type
from schemas.codec.scan import MalformedError, check
from schemas.codec.wire import HEADER_BYTES
from schemas.reasons import Reason

Refusal = tuple[int, Reason, str]
"""Position of a record in what was handed in, the reason code, and a message."""

_GUARD_BYTES = 8
_FIRST_GUARD = b"\xff" + b"\x7e" * (_GUARD_BYTES - 1)


def guard_for(data: bytes) -> bytes:
    """A guard word that does not occur in `data`; the same data gives the same word.

    Its first byte is 0xff and no other is. If the first word occurs, the next ones come from a digest of the data, which nobody
    can write into the data that it is the digest of.
    """
    guard, digest = _FIRST_GUARD, b""
    while guard in data:
        digest = hashlib.blake2b(digest or data, digest_size=_GUARD_BYTES).digest()
        guard = b"\xff" + bytes(byte & 0x7F for byte in digest[1:])
    return guard


def decode_bulk(values: list[bytes], writer: Record, guard: bytes) -> tuple[npt.NDArray[np.int64], pa.Array, list[Refusal]]:
    """Decode values that all begin with a header of the same schema.

    Answers the positions of the good records, these as one struct array of the writer's fields (ints as 64 bits, enums as
    strings), and the refusals. Finding k bad ones among n costs in the order of k log n bulk decodes of ever smaller parts.
    """
    good = np.arange(len(values))
    batch = _decode(values, writer, guard)
    if batch is not None:
        return good, _body(batch), []
    bad = _bad_positions(values, writer, guard)
    good = np.delete(good, bad)
    batch = _decode([values[position] for position in good], writer, guard)
    assert batch is not None, "records that decode apart decode together"
    return good, _body(batch), [_refusal(values, position, writer) for position in bad]


def _bad_positions(values: list[bytes], writer: Record, guard: bytes) -> list[int]:
    """Positions that do not decode, by halving the parts that fail."""
    bad, parts = [], [(0, len(values))]
    while parts:
        start, end = parts.pop()
        if _decode(values[start:end], writer, guard) is not None:
            continue
        if end - start == 1:
            bad.append(start)
        else:
            middle = (start + end) // 2
            parts += [(middle, end), (start, middle)]
    return bad


def _refusal(values: list[bytes], position: int, writer: Record) -> Refusal:
    try:
        check(values[position], HEADER_BYTES, writer)
    except MalformedError as error:
        return position, error.reason, error.message
    return position, Reason.UNDECODABLE, "the bulk decoder refuses the bytes"


def _decode(values: list[bytes], writer: Record, guard: bytes) -> pa.RecordBatch | None:
    """All values, or None when one of them is bad."""
    try:
        batch = pyruhvro.deserialize_array([value + guard for value in values], _framed(writer))
        batch.validate(full=True)
    except (ValueError, pa.ArrowInvalid):
        return None
    read_back = np.asarray(batch.column(batch.num_columns - 1)).view(np.int64)
    return batch if (read_back == np.frombuffer(guard, np.int64)).all() else None


def _body(batch: pa.RecordBatch) -> pa.Array:
    """The record without the fields of the frame around it."""
    return pa.RecordBatch.from_arrays(batch.columns[2:-1], schema=pa.schema(list(batch.schema)[2:-1])).to_struct_array()


@cache
def _framed(writer: Record) -> str:
    """The writer's schema with header and guard as fields around it, so that values are decoded as they come.

    The names are ours, the wire is the same: a boolean reads the magic byte, a float the four bytes of the id, a double the
    guard. An int is read as long, since the decoder cuts what does not fit.
    """
    names = iter(range(10_000))
    body = _schema(writer, names)
    frame = [("magic", "boolean"), ("id", "float"), *((entry["name"], entry["type"]) for entry in body["fields"]), ("guard", "double")]
    fields = [{"name": f"f{position}", "type": kind} for position, (_, kind) in enumerate(frame)]
    return json.dumps({"type": "record", "name": "Frame", "fields": fields})


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
            entries = [{"name": f"f{position}", "type": _schema(entry.type, names)} for position, entry in enumerate(fields)]
            return {"type": "record", "name": f"T{next(names)}", "fields": entries}
