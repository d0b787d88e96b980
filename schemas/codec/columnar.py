"""A slice of records to the columns of our newest schema, whatever schemas they were written with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from schemas.avro_types import Record
from schemas.codec.align import Objections, align, arrow_type, mismatch
from schemas.codec.bulk import decode_bulk, guard_for, objection
from schemas.codec.wire import HEADER_FAULTS, RefusedSchema, SchemaNotResolved, Schemas, WriterSchema, read_headers
from schemas.reasons import Reason

Rows = npt.NDArray[np.int64]
REJECT_COLUMNS: dict[str, pl.DataType] = {"row": pl.UInt32(), "reason": pl.String(), "message": pl.String()}
_PART_BYTES = 2**28


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded slice. Both frames name records by `row`, their index in the input (u32).

    `frame`: the good records, those of one writer schema in the order of the input; `rejects`: row, reason (a code of
    `schemas.reasons`), message, in the order of the input. Each row is in exactly one.
    """

    frame: pl.DataFrame
    rejects: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Columns:
    """Good records, schema by schema: one struct array of the reader's fields, row and schema id of each."""

    records: pa.StructArray
    rows: Rows
    schema_ids: Rows


class Rejects:
    """Collects the first objection to each row."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[str, str]] = {}

    def add(self, rows: Rows, reason: Reason, message: str) -> None:
        """Refuse these rows, unless they are refused already."""
        for row in rows.tolist():
            self._found.setdefault(row, (reason.value, message))

    def keep(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of the rows nobody objects to."""
        return ~np.isin(rows, np.fromiter(self._found, np.int64)) if self._found else np.ones(len(rows), np.bool_)

    def frame(self) -> pl.DataFrame:
        """All refusals, in the order of the input."""
        rows = [(row, *found) for row, found in sorted(self._found.items())]
        return pl.DataFrame(rows, schema=REJECT_COLUMNS, orient="row")


def decode_columns(values: Sequence[bytes | None], schemas: Schemas, reader: Record, rejects: Rejects) -> Columns:
    """Decode a slice to the reader's fields; what cannot be decoded is added to `rejects`.

    `schemas` must answer for every id in the slice, else SchemaNotResolved is raised and nothing is decided.
    """
    headers = read_headers(values)
    for place, (reason, message) in enumerate(HEADER_FAULTS, start=1):
        rejects.add(np.flatnonzero(headers.faults == place), reason, message)
    readable = np.flatnonzero(headers.faults == 0)
    ids = headers.distinct_ids()
    if missing := frozenset(ids) - schemas.keys():
        raise SchemaNotResolved(missing)
    guard = guard_for(headers.data)
    parts = []
    for schema_id in ids:
        rows = readable[headers.ids[readable] == schema_id]
        schema = schemas[schema_id]
        if (refused := _refused(schema, reader)) is not None:
            rejects.add(rows, refused.reason, refused.message)
        elif isinstance(schema, WriterSchema):
            parts += [
                _decode_part(values, part, schema, reader, guard, rejects) for part in _split(rows, headers.lengths)
            ]
    return _joined(parts, reader)


def decoded(columns: Columns, frame: pl.DataFrame, rejects: Rejects) -> Decoded:
    """The slice from a frame with one row for each record of `columns`; rows that were refused meanwhile leave it."""
    frame = frame.with_columns(
        pl.Series("schema_id", columns.schema_ids, pl.Int32), pl.Series("row", columns.rows, pl.UInt32)
    )
    keep = rejects.keep(columns.rows)
    return Decoded(frame if keep.all() else frame.filter(pl.Series(keep)), rejects.frame())


def fields_of(records: pa.StructArray) -> dict[str, pa.Array]:
    """The columns of a struct array by name, with the nulls of the struct handed down."""
    return dict(zip((entry.name for entry in records.type), records.flatten(), strict=True))


def frame_of(arrays: Mapping[str, Any]) -> pl.DataFrame:
    """A frame of Arrow or numpy columns, without copying what need not be copied."""
    return cast("pl.DataFrame", pl.from_arrow(pa.table(arrays), rechunk=False))


def _refused(schema: WriterSchema | RefusedSchema, reader: Record) -> RefusedSchema | None:
    if isinstance(schema, RefusedSchema):
        return schema
    if why := mismatch(schema.type, reader):
        return RefusedSchema(schema.schema_id, Reason.INCOMPATIBLE_SCHEMA, f"schema {schema.schema_id}: {why}")
    if why := objection(schema.type):
        return RefusedSchema(schema.schema_id, Reason.UNSUPPORTED_SCHEMA, f"schema {schema.schema_id}: {why}")
    return None


def _split(rows: Rows, lengths: Rows) -> Iterator[Rows]:
    """Parts small enough for the 32-bit offsets of Arrow's strings."""
    part = np.cumsum(lengths[rows]) // _PART_BYTES
    yield from np.split(rows, np.flatnonzero(np.diff(part)) + 1)


def _decode_part(
    values: Sequence[bytes | None], rows: Rows, schema: WriterSchema, reader: Record, guard: bytes, rejects: Rejects
) -> Columns:
    chosen = values if len(rows) == len(values) else list(map(values.__getitem__, rows.tolist()))
    good, array, refusals = decode_bulk(cast("Sequence[bytes]", chosen), schema.type, guard)
    for refusal in refusals:
        rejects.add(rows[[refusal.position]], refusal.reason, refusal.message)
    objections = Objections()
    records = align(array, schema.type, reader, rows[good], objections)
    for bad, reason, message in objections.found:
        rejects.add(bad, reason, message)
    keep = rejects.keep(rows[good])
    records = records if keep.all() else records.filter(pa.array(keep))
    return Columns(records, rows[good][keep], np.full(int(keep.sum()), schema.schema_id, np.int64))


def _joined(parts: list[Columns], reader: Record) -> Columns:
    """The parts one after the other: to bring records of several schemas in one order costs more than decoding them."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Columns(pa.array([], arrow_type(reader)), np.empty(0, np.int64), np.empty(0, np.int64))
    records = pa.concat_arrays([part.records for part in parts])
    return Columns(
        records, np.concatenate([part.rows for part in parts]), np.concatenate([part.schema_ids for part in parts])
    )
