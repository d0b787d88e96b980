"""Single records to and from the wire, for producers, repairs and tests. Slow; tests hold it equal to the columns."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import fastavro
from fastavro.read import SchemaResolutionError

from schemas.codec.align import mismatch
from schemas.codec.scan import check
from schemas.codec.wire import (
    HEADER_BYTES,
    HEADER_FAULTS,
    RefusedSchema,
    SchemaNotResolved,
    Schemas,
    WriterSchema,
    header,
    read_headers,
)
from schemas.reasons import Reason, Refused
from schemas.subjects import SchemaVersion


class Unencodable(ValueError):
    """The record does not fit its schema; nothing was written. Correct the record: `subject` names the contract."""

    def __init__(self, subject: str, version: int, why: str) -> None:
        super().__init__(f"not a {subject} v{version}: {why}; correct the record")
        self.subject = subject
        self.version = version


def encode_record(record: Mapping[str, Any], schema: SchemaVersion, schema_id: int) -> bytes:
    """The record on the wire. `schema_id` is the id that the registry gave to `schema`. Raises Unencodable."""
    out = io.BytesIO()
    out.write(header(schema_id))
    try:
        fastavro.schemaless_writer(out, _parsed(schema.text), record, strict=True)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise Unencodable(schema.subject, schema.version, str(error)) from error
    return out.getvalue()


def decode_record(value: bytes | None, schemas: Schemas, reader: SchemaVersion) -> dict[str, Any]:
    """The record with the fields of `reader`, whatever schema it was written with.

    Raises Refused with the reason, also when bytes are left over; SchemaNotResolved when `schemas` lacks
    its id.
    """
    headers = read_headers([value])
    if value is None or headers.faults[0]:
        raise Refused(*HEADER_FAULTS[headers.faults[0] - 1])
    schema = _writer(int(headers.ids[0]), schemas, reader)
    check(value, HEADER_BYTES, schema.type)
    data = io.BytesIO(value)
    data.seek(HEADER_BYTES)
    try:
        record: dict[str, Any] = fastavro.schemaless_reader(data, _parsed(schema.text), _parsed(reader.text))
    except SchemaResolutionError as error:
        raise Refused(Reason.UNKNOWN_SYMBOL, str(error)) from error
    return record


def _writer(schema_id: int, schemas: Schemas, reader: SchemaVersion) -> WriterSchema:
    if schema_id not in schemas:
        raise SchemaNotResolved(frozenset({schema_id}))
    schema = schemas[schema_id]
    if isinstance(schema, RefusedSchema):
        raise Refused(schema.reason, schema.message)
    if why := mismatch(schema.type, reader.type):
        raise Refused(Reason.INCOMPATIBLE_SCHEMA, f"schema {schema_id}: {why}")
    return schema


@cache
def _parsed(text: str) -> Any:
    return fastavro.parse_schema(json.loads(text))
