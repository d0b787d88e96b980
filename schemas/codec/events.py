"""User events to frames."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from schemas.agents import enrich_agents
from schemas.codec.columnar import Decoded, Rejects, decode_columns, decoded, fields_of, frame_of
from schemas.codec.wire import Schemas
from schemas.countries import countries
from schemas.enrich import map_as_list, pick, truncate_ip
from schemas.subjects import subject

_MILLISECONDS = pa.timestamp("ms", "UTC")


def decode_user_events(values: Sequence[bytes | None], schemas: Schemas) -> Decoded:
    """Values of `user-events` to the EVENT frame without the position columns, with `row`.

    Addresses are truncated here, after their country has been looked up; the whole address is in no frame.
    Raises SchemaNotResolved.
    """
    rejects = Rejects()
    columns = decode_columns(values, schemas, subject("user-event").latest.type, rejects)
    record = fields_of(columns.records)
    context = fields_of(record["context"])
    properties = record["properties"]
    arrays = {
        "tenant_id": record["tenantId"],
        "session_id": record["sessionId"],
        "event_id": record["eventId"],
        "user_id": record["userId"],
        "event_type": record["eventType"],
        "event_time": record["timestamp"].cast(_MILLISECONDS),
        "product_id": pick(properties, "productId"),
        "page": pick(properties, "page"),
        "search_query": pick(properties, "query"),
        "platform": context["platform"],
        "user_agent": context["userAgent"],
        **enrich_agents(context["userAgent"]),
        "ip": truncate_ip(context["ip"]),
        "country": countries(context["ip"]),
        "referrer": context["referrer"],
        "properties": map_as_list(properties),
        "experiments": map_as_list(record["experiments"]),
    }
    return decoded(columns, frame_of(arrays), rejects)
