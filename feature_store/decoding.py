"""Records of the stream to plain values, a round of a topic at once: one by one they cost twenty times as much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.codec.columnar import Rejects, decode_columns, decoded, fields_of, frame_of
from schemas.codec.wire import Schemas
from schemas.subjects import SchemaVersion, subject
from schemas.topics import PRODUCT_POPULARITY, SESSION_METRICS

_READERS: Mapping[str, SchemaVersion] = {
    topic.name: subject(str(topic.subject)).latest for topic in (SESSION_METRICS, PRODUCT_POPULARITY)
}
_SESSION = (
    "sessionStart",
    "sessionEnd",
    "userId",
    "pageViews",
    "addToCarts",
    "purchases",
    "durationMs",
    "products",
)
_TAKEN: Mapping[str, tuple[str | pl.Expr, ...]] = {
    SESSION_METRICS.name: (
        *("tenantId", "sessionId", "logEpoch", "logPartition", "asOf"),
        pl.col("sessions").list.eval(pl.struct(pl.element().struct.field(*_SESSION))),
    ),
    PRODUCT_POPULARITY.name: (
        *("tenantId", "productId", "windowStart", "logEpoch", "logPartition", "asOf"),
        *("views", "addToCarts", "purchases"),
    ),
}
"""What of a record becomes features."""


@dataclass(frozen=True)
class Plain:
    """Records of one topic: the place of each among the values, and its fields; and of the refused ones the reason."""

    records: Sequence[tuple[int, Mapping[str, Any]]]
    refused: Sequence[tuple[int, str]]


def decode(topic: str, values: Sequence[bytes | None], schemas: Schemas) -> Plain:
    """Values of a topic to what of them becomes features. Raises `schemas.codec.SchemaNotResolved`."""
    rejects = Rejects()
    columns = decode_columns(values, schemas, _READERS[topic].type, rejects)
    found = decoded(columns, frame_of(fields_of(columns.records)).select(_TAKEN[topic]), rejects)
    records = found.frame.drop("row", "schema_id").to_dicts()
    refused = [(row, f"{reason}: {message}") for row, reason, message in found.rejects.iter_rows()]
    return Plain(list(zip(found.frame["row"], records, strict=True)), refused)
