"""Columns to records on the wire: the way back of `schemas.codec.columnar`, for topics that our own layers write."""

from __future__ import annotations

import re
from functools import cache

import polars as pl
import pyarrow as pa
import pyruhvro

from schemas.avro_types import Array, Enumeration, Map, Nullable, Primitive, Record, Type
from schemas.codec.records import encode_record
from schemas.codec.wire import header
from schemas.subjects import SchemaVersion

_CHUNKS = 1


def encode_columns(frame: pl.DataFrame, schema: SchemaVersion, schema_id: int) -> list[bytes]:
    """The rows as records of the schema; `schema_id` is the id that the registry gave it.

    A field takes the column of its name in small letters: `windowStart` is `window_start`. Times become milliseconds.
    Other columns are left out. Raises KeyError where a field has no column.
    """
    if not frame.height:
        return []
    if not _in_bulk(schema.type):
        return _one_by_one(frame, schema, schema_id)
    rows = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    wanted = _arrow_schema(schema.text)
    columns = [_as(rows[snake(field.name)].combine_chunks(), field.type) for field in wanted]
    batch = pa.record_batch(columns, schema=wanted)
    start = header(schema_id)
    encoded = pyruhvro.serialize_record_batch(batch, schema.text, _CHUNKS)
    return [start + value for part in encoded for value in part.to_pylist()]


def _one_by_one(frame: pl.DataFrame, schema: SchemaVersion, schema_id: int) -> list[bytes]:
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    fields = [(field.name, snake(field.name), field.type) for field in schema.type.fields]
    rows = frame.with_columns(pl.col(times).to_physical()).iter_rows(named=True)
    records = [{name: _plain(row[column], kind) for name, column, kind in fields} for row in rows]
    return [encode_record(record, schema, schema_id) for record in records]


def _plain(value: object, kind: Type) -> object:
    """A map is a list of pairs in frames (`schemas.frames.STRING_MAP`), and a dict in records."""
    if isinstance(kind, Map) and isinstance(value, list):
        return {pair["key"]: pair["value"] for pair in value}
    return value


def _in_bulk(kind: Type) -> bool:
    """Whether the bulk encoder writes the type: it knows no enums and no bytes."""
    match kind:
        case Record():
            return all(_in_bulk(field.type) for field in kind.fields)
        case Nullable():
            return _in_bulk(kind.inner)
        case Array():
            return _in_bulk(kind.items)
        case Map():
            return _in_bulk(kind.values)
        case Primitive():
            return kind.name != "bytes"
        case Enumeration():
            return False


def snake(name: str) -> str:
    """The name of a column for the name of a field."""
    return re.sub("([A-Z])", lambda found: f"_{found.group(1).lower()}", name)


@cache
def _arrow_schema(text: str) -> pa.Schema:
    return pyruhvro.avro_to_arrow_schema(text)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column in the type that the encoder reads, with the names of the contract inside."""
    if pa.types.is_list(kind):
        items = _as(column.flatten(), kind.value_type)
        return pa.ListArray.from_arrays(column.offsets.cast(pa.int32()), items, type=kind)
    if pa.types.is_struct(kind):
        parts = [_as(column.field(snake(field.name)), field.type) for field in kind]
        return pa.StructArray.from_arrays(parts, fields=list(kind))
    return column.cast(kind)
