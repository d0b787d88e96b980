"""The Confluent wire format: 0x00, the writer's schema id as 4 bytes big-endian, Avro."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.avro_types import Record, UnsupportedSchema, parse
from schemas.reasons import Reason
from schemas.topics import MAX_RECORD_BYTES

MAGIC = b"\x00"
HEADER_BYTES = 5


@dataclass(frozen=True, slots=True)
class WriterSchema:
    """A schema that the registry gave for an id; `text` is its JSON and `type` the same parsed."""

    schema_id: int
    text: str
    type: Record


@dataclass(frozen=True, slots=True)
class RefusedSchema:
    """What stands for an id whose records cannot be read.

    The registry does not know it, or its schema is not supported.
    """

    schema_id: int
    reason: Reason
    message: str


Schema = WriterSchema | RefusedSchema
Schemas = Mapping[int, Schema]
Resolver = Callable[[int], Schema]
"""Answers what an id stands for. Raises when it cannot know; it never guesses, so a lost registry stops the slice."""


class SchemaNotResolved(LookupError):
    """Records name schema ids that were not asked for.

    Resolve `schema_ids` of the values first. The ids are in `missing`.
    """

    def __init__(self, missing: frozenset[int]) -> None:
        super().__init__(f"schema ids {sorted(missing)} are not resolved; call resolve() with the values first")
        self.missing = missing


def writer_schema(schema_id: int, text: str) -> Schema:
    """What the schema text of an id means here."""
    try:
        return WriterSchema(schema_id, text, parse(text))
    except UnsupportedSchema as error:
        return RefusedSchema(schema_id, Reason.UNSUPPORTED_SCHEMA, f"schema {schema_id}: {error.reason}")


def header(schema_id: int) -> bytes:
    """The five bytes before the Avro of a record written with this schema."""
    return MAGIC + schema_id.to_bytes(4, "big")


HEADER_FAULTS = (
    (Reason.NULL_VALUE, "the record has no value"),
    (Reason.TOO_LARGE, "the value is longer than a topic allows"),
    (Reason.TRUNCATED, "the value is shorter than the header of 5 bytes"),
    (Reason.WRONG_MAGIC, "the first byte is not 0x00"),
    (Reason.UNKNOWN_SCHEMA, "the schema id is negative"),
)
"""What can be wrong with a header, in the order in which it is judged."""


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers of a slice, one entry per record.

    `ids`: schema id, 0 where there is none; `faults`: 0, or the place of its fault in `HEADER_FAULTS` counted from 1;
    `lengths`: bytes of the value. `data` is all values joined.
    """

    ids: npt.NDArray[np.int64]
    faults: npt.NDArray[np.int8]
    lengths: npt.NDArray[np.int64]
    data: memoryview

    def distinct_ids(self) -> list[int]:
        """The ids of the records without fault, ascending."""
        ids = self.ids[self.faults == 0]
        distinct: list[int] = (ids[:1] if (ids == ids[:1]).all() else np.unique(ids)).tolist()
        return distinct


def read_headers(values: Sequence[bytes | None]) -> Headers:
    """Read all headers at once."""
    joined = pa.array(values, pa.large_binary())
    _, offsets, octets = joined.buffers()
    starts = np.frombuffer(offsets, np.int64, len(values) + 1)
    lengths, is_null = np.diff(starts), joined.is_null().to_numpy(zero_copy_only=False)
    data = memoryview(octets or b"")[: starts[-1]]
    short = lengths < HEADER_BYTES
    magic, ids = _fields(data, starts[:-1], short)
    # From the last to the first, so that the first fault of a header is the one that stays.
    faults = np.zeros(len(values), np.int8)
    found = (is_null, lengths > MAX_RECORD_BYTES, short, magic != 0, ids < 0)
    for place in range(len(HEADER_FAULTS), 0, -1):
        faults[found[place - 1]] = place
    return Headers(ids, faults, lengths, data)


def schema_ids(values: Sequence[bytes | None]) -> frozenset[int]:
    """The schema ids that the records name and that must be resolved before they can be decoded."""
    return frozenset(read_headers(values).distinct_ids())


def resolve(values: Sequence[bytes | None], resolver: Resolver) -> dict[int, Schema]:
    """Ask for every schema id of the records; passes on what the resolver raises when it cannot know."""
    return resolve_ids(schema_ids(values), resolver)


def resolve_ids(ids: Iterable[int], resolver: Resolver) -> dict[int, Schema]:
    """Ask for every id in ascending order."""
    return {schema_id: resolver(schema_id) for schema_id in sorted(ids)}


def _fields(
    data: memoryview, starts: npt.NDArray[np.int64], short: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Magic byte and signed schema id at every start; 0 where the header is not whole."""
    if short.all():
        return np.zeros(len(starts), np.uint8), np.zeros(len(starts), np.int64)
    starts = np.where(short, 0, starts)
    # Every four bytes of the data as a number, without a copy: an id begins at any byte.
    words = np.ndarray((len(data) - 3,), ">i4", data, strides=(1,))
    magic = np.frombuffer(data, np.uint8)[starts]
    ids = words[starts + 1].astype(np.int64)
    return np.where(short, 0, magic), np.where(short, 0, ids)
