"""The columns of the frames that all layers exchange, and the keys by which they are folded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache

import polars as pl

TIMESTAMP = pl.Datetime("ms", "UTC")
STRING_MAP = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))

POSITION = ("log_epoch", "log_partition", "log_offset")
"""Where a record stands in the log. `log_epoch` is bound to the topic's id; offsets compare within both."""

GROUP = ("tenant_id", "session_id", "log_epoch", "log_partition")
"""What sessions are folded by: all events of one group lie in one partition, so their order is the log's."""

ORDER_GROUP = ("tenant_id", "transaction_id", "log_epoch", "log_partition")
"""What order facts are deduplicated by."""

POSITION_COLUMNS: dict[str, pl.DataType] = {
    "log_epoch": pl.Int32(),
    "log_partition": pl.Int32(),
    "log_offset": pl.Int64(),
    "append_time": TIMESTAMP,
}

EVENT_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "session_id": pl.String(),
    "event_id": pl.String(),
    "user_id": pl.String(),
    "event_type": pl.String(),
    "event_time": TIMESTAMP,
    "product_id": pl.String(),
    "page": pl.String(),
    "search_query": pl.String(),
    "platform": pl.String(),
    "user_agent": pl.String(),
    "device_class": pl.String(),
    "browser": pl.String(),
    "os": pl.String(),
    "ip": pl.String(),
    "country": pl.String(),
    "referrer": pl.String(),
    "properties": STRING_MAP,
    "experiments": STRING_MAP,
    "schema_id": pl.Int32(),
    **POSITION_COLUMNS,
}
"""One decoded `UserEvent` that can be used.

`user_id`, `product_id`, `page`, `search_query`, `referrer` and `country` may be null. `device_class`, `browser`
and `os` are those of `schemas.agents.Agent`, `country` is the address's by `schemas.countries`.
"""

ORDER_ITEM = pl.Struct({"product_id": pl.String, "quantity": pl.Int32, "price_minor": pl.Int64, "category": pl.String})

ORDER_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "transaction_id": pl.String(),
    "user_id": pl.String(),
    "status": pl.String(),
    "order_time": TIMESTAMP,
    "currency": pl.String(),
    "amount_minor": pl.Int64(),
    "payment_method": pl.String(),
    "items": pl.List(ORDER_ITEM),
    "schema_id": pl.Int32(),
    **POSITION_COLUMNS,
}
"""One decoded `Transaction` that can be used: an order fact. Amounts are integer minor units of `currency`."""

PROFILE_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "user_id": pl.String(),
    "email_hash": pl.String(),
    "country": pl.String(),
    "signup_at": TIMESTAMP,
    "segments": pl.List(pl.String),
    "attributes": STRING_MAP,
    "updated_at": TIMESTAMP,
    "schema_id": pl.Int32(),
    **POSITION_COLUMNS,
}
"""One decoded `UserProfile`: a user from `updated_at` on. `email_hash`, `country` and `signup_at` may be null."""

INVENTORY_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "product_id": pl.String(),
    "warehouse": pl.String(),
    "quantity": pl.Int32(),
    "reserved": pl.Int32(),
    "reason": pl.String(),
    "updated_at": TIMESTAMP,
    "schema_id": pl.Int32(),
    **POSITION_COLUMNS,
}
"""One decoded `InventoryUpdate`: the stock of a product in a warehouse from `updated_at` on, in pieces."""

TICKET_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "ticket_id": pl.String(),
    "user_id": pl.String(),
    "status": pl.String(),
    "priority": pl.String(),
    "category": pl.String(),
    "channel": pl.String(),
    "product_id": pl.String(),
    "transaction_id": pl.String(),
    "opened_at": TIMESTAMP,
    "updated_at": TIMESTAMP,
    "schema_id": pl.Int32(),
    **POSITION_COLUMNS,
}
"""One decoded `ServiceTicket`: its state from `updated_at` on. `product_id` and `transaction_id` may be null."""

SIGNAL_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "source": pl.String(),
    "metric": pl.String(),
    "value": pl.Float64(),
    "unit": pl.String(),
    "region": pl.String(),
    "product_id": pl.String(),
    "observed_at": TIMESTAMP,
    "schema_id": pl.Int32(),
    **POSITION_COLUMNS,
}
"""One decoded `ExternalSignal`, a figure about the time `observed_at`. `region` and `product_id` may be null.

Money is in minor units of the currency that `unit` names.
"""

SIGHTED_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "user_id": pl.String(),
    "session_id": pl.String(),
    "ip": pl.String(),
    "timestamp": TIMESTAMP,
    "schema_id": pl.Int32(),
    **POSITION_COLUMNS,
}
"""One decoded `UserSighting`: a user was seen with an address within five minutes; the position is the sighting's."""

DEAD_LETTER_COLUMNS: dict[str, pl.DataType] = {
    "topic": pl.String(),
    **POSITION_COLUMNS,
    "reason": pl.String(),
    "message": pl.String(),
    "key": pl.Binary(),
    "value": pl.Binary(),
}
"""A record that could not be used, with its raw bytes; `reason` is a code of `schemas.reasons`."""


def empty(columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """A frame of these columns without rows, made once: making one costs as much as folding hundreds of events."""
    return _empty(tuple(columns.items()))


def milliseconds(time: datetime) -> int:
    """Unix time in ms, as a column of `TIMESTAMP` holds it."""
    return round(time.timestamp() * 1_000)


@cache
def _empty(columns: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(columns))


def utc_day(column: str) -> pl.Expr:
    """The UTC day of a timestamp column."""
    return pl.col(column).dt.date()
