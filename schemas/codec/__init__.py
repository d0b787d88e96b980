"""The Confluent wire format to columns and to records, and back."""

from schemas.codec.columnar import Decoded
from schemas.codec.events import decode_user_events
from schemas.codec.records import Unencodable, decode_record, encode_record
from schemas.codec.states import (
    decode_external_signals,
    decode_inventory_updates,
    decode_service_tickets,
    decode_user_profiles,
    decode_user_sightings,
)
from schemas.codec.transactions import decode_transactions
from schemas.codec.wire import (
    RefusedSchema,
    Resolver,
    Schema,
    SchemaNotResolved,
    Schemas,
    WriterSchema,
    header,
    resolve,
    resolve_ids,
    schema_ids,
    writer_schema,
)

__all__ = [
    "Decoded",
    "RefusedSchema",
    "Resolver",
    "Schema",
    "SchemaNotResolved",
    "Schemas",
    "Unencodable",
    "WriterSchema",
    "decode_external_signals",
    "decode_inventory_updates",
    "decode_record",
    "decode_service_tickets",
    "decode_transactions",
    "decode_user_events",
    "decode_user_profiles",
    "decode_user_sightings",
    "encode_record",
    "header",
    "resolve",
    "resolve_ids",
    "schema_ids",
    "writer_schema",
]
