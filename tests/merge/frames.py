"""Log records as the frames that intake and landing make of them, without Avro."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import polars as pl

from schemas.frames import DEAD_LETTER_COLUMNS, EVENT_COLUMNS, ORDER_COLUMNS
from tests.oracle.records import LogRecord, event_of, order_of
from tests.oracle.verdicts import Rules, why_dead


def time_of(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def is_dead(record: LogRecord) -> bool:
    return bool(why_dead(record, Rules()))


def event_frame(records: Iterable[LogRecord]) -> pl.DataFrame:
    rows = [_event_row(record) for record in records if record.topic == "user-events" and not is_dead(record)]
    return pl.DataFrame(rows, schema=EVENT_COLUMNS)


def order_frame(records: Iterable[LogRecord]) -> pl.DataFrame:
    rows = [_order_row(record) for record in records if record.topic == "transactions" and not is_dead(record)]
    return pl.DataFrame(rows, schema=ORDER_COLUMNS)


def dead_letter_frame(records: Iterable[LogRecord]) -> pl.DataFrame:
    rows = [
        _position(record) | {"topic": record.topic, "reason": "broken", "message": "", "key": None, "value": b"?"}
        for record in records
        if is_dead(record)
    ]
    return pl.DataFrame(rows, schema=DEAD_LETTER_COLUMNS)


def _position(record: LogRecord) -> dict[str, Any]:
    return {
        "log_epoch": record.epoch,
        "log_partition": record.partition,
        "log_offset": record.offset,
        "append_time": time_of(record.append_time_ms),
    }


def _event_row(record: LogRecord) -> dict[str, Any]:
    event = event_of(record)
    return _position(record) | {
        "tenant_id": event.tenant_id,
        "session_id": event.session_id,
        "event_id": event.event_id,
        "user_id": event.user_id,
        "event_type": event.event_type,
        "event_time": time_of(event.time_ms),
        "product_id": event.product_id,
        "page": event.page,
        "search_query": None,
        "platform": event.platform,
        "user_agent": "",
        "device_class": event.device_class,
        "browser": "other",
        "os": "other",
        "ip": "",
        "country": event.country,
        "referrer": event.referrer,
        "properties": [],
        "experiments": [{"key": name, "value": variant} for name, variant in event.experiments],
        "schema_id": 1,
    }


def _order_row(record: LogRecord) -> dict[str, Any]:
    order = order_of(record)
    return _position(record) | {
        "tenant_id": order.tenant_id,
        "transaction_id": order.transaction_id,
        "user_id": order.user_id,
        "status": order.status,
        "order_time": time_of(order.time_ms),
        "currency": order.currency,
        "amount_minor": order.amount_minor,
        "payment_method": order.payment_method,
        "items": [asdict(item) for item in order.items],
        "schema_id": 2,
    }
