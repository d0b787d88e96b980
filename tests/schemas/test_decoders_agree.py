"""The bulk decoder and the single one are held against each other: same records, same reasons, no other errors."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.agents import agent_of
from schemas.codec import (
    Decoded,
    SchemaNotResolved,
    decode_external_signals,
    decode_inventory_updates,
    decode_record,
    decode_service_tickets,
    decode_transactions,
    decode_user_events,
    decode_user_profiles,
    decode_user_sightings,
)
from schemas.countries import country_of
from schemas.enrich import truncate_ip
from schemas.money import EXPONENTS, minor_units
from schemas.reasons import Reason, Refused
from schemas.subjects import subject
from tests.schemas.examples import IDS, schemas
from tests.schemas.strategies import mutated, values

Row = dict[str, Any]
SCHEMAS = schemas()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _obvious(value: bytes, name: str) -> Row | Reason:
    """The row that one record must become, or the reason for which it has none."""
    try:
        record = decode_record(value, SCHEMAS, subject(name).latest)
    except Refused as refused:
        return refused.reason
    except SchemaNotResolved:
        return Reason.UNKNOWN_SCHEMA
    row: Row | Reason = _ROWS[name](record)
    return row


def _event(record: Row) -> Row:
    properties, context = record["properties"], record["context"]
    return {
        "tenant_id": record["tenantId"],
        "session_id": record["sessionId"],
        "event_id": record["eventId"],
        "user_id": record["userId"],
        "event_type": record["eventType"],
        "event_time": record["timestamp"],
        "product_id": properties.get("productId"),
        "page": properties.get("page"),
        "search_query": properties.get("query"),
        "platform": context["platform"],
        "user_agent": context["userAgent"],
        **agent_of(context["userAgent"])._asdict(),
        "country": country_of(context["ip"]),
        "ip": truncate_ip(pa.array([context["ip"]]))[0].as_py(),
        "referrer": context["referrer"],
        "properties": properties,
        "experiments": record["experiments"],
    }


def _order(record: Row) -> Row | Reason:
    amounts = [record["totalAmount"], *(item["price"] for item in record["orderItems"])]
    if record["currency"] not in EXPONENTS:
        return Reason.UNKNOWN_CURRENCY
    if not all(math.isfinite(amount) for amount in amounts[:1]):
        return Reason.AMOUNT_NOT_FINITE
    try:
        minor_units(amounts[0], record["currency"])
        if not all(math.isfinite(amount) for amount in amounts):
            return Reason.AMOUNT_NOT_FINITE
        amount, *prices = [minor_units(amount, record["currency"]) for amount in amounts]
    except ValueError:
        return Reason.AMOUNT_RANGE
    items = [
        {
            "product_id": item["productId"],
            "quantity": item["quantity"],
            "price_minor": price,
            "category": item["category"],
        }
        for item, price in zip(record["orderItems"], prices, strict=True)
    ]
    return {
        "tenant_id": record["tenantId"],
        "transaction_id": record["transactionId"],
        "user_id": record["userId"],
        "status": record["status"],
        "order_time": record["timestamp"],
        "currency": record["currency"],
        "amount_minor": amount,
        "payment_method": record["paymentMethod"],
        "items": items,
    }


def _profile(record: Row) -> Row:
    return {
        "tenant_id": record["tenantId"],
        "user_id": record["userId"],
        "email_hash": record["emailHash"],
        "country": record["country"],
        "signup_at": record["signupAt"],
        "segments": record["segments"],
        "attributes": record["attributes"],
        "updated_at": record["timestamp"],
    }


def _inventory(record: Row) -> Row:
    return {
        "tenant_id": record["tenantId"],
        "product_id": record["productId"],
        "warehouse": record["warehouse"],
        "quantity": record["quantity"],
        "reserved": record["reserved"],
        "reason": record["reason"],
        "updated_at": record["timestamp"],
    }


def _ticket(record: Row) -> Row:
    return {
        "tenant_id": record["tenantId"],
        "ticket_id": record["ticketId"],
        "user_id": record["userId"],
        "status": record["status"],
        "priority": record["priority"],
        "category": record["category"],
        "channel": record["channel"],
        "product_id": record["productId"],
        "transaction_id": record["transactionId"],
        "opened_at": record["openedAt"],
        "updated_at": record["timestamp"],
    }


def _signal(record: Row) -> Row | Reason:
    if not math.isfinite(record["value"]):
        return Reason.AMOUNT_NOT_FINITE
    return {
        "tenant_id": record["tenantId"],
        "source": record["source"],
        "metric": record["metric"],
        "value": record["value"],
        "unit": record["unit"],
        "region": record["region"],
        "product_id": record["productId"],
        "observed_at": record["timestamp"],
    }


def _sighting(record: Row) -> Row:
    return {
        "tenant_id": record["tenantId"],
        "user_id": record["userId"],
        "session_id": record["sessionId"],
        "ip": record["ip"],
        "timestamp": record["timestamp"],
    }


_ROWS: dict[str, Any] = {
    "user-event": _event,
    "transaction": _order,
    "user-profile": _profile,
    "inventory-update": _inventory,
    "service-ticket": _ticket,
    "external-signal": _signal,
    "user-sighting": _sighting,
}
_DECODERS: dict[str, Any] = {
    "user-event": decode_user_events,
    "transaction": decode_transactions,
    "user-profile": decode_user_profiles,
    "inventory-update": decode_inventory_updates,
    "service-ticket": decode_service_tickets,
    "external-signal": decode_external_signals,
    "user-sighting": decode_user_sightings,
}
_MAPS = {"properties", "experiments", "attributes"}


def _outcomes(decoded: Decoded, count: int) -> list[Row | Reason]:
    """What became of each record, in the shape of `_obvious`."""
    times = [name for name, kind in decoded.frame.schema.items() if isinstance(kind, pl.Datetime)]
    rows = decoded.frame.with_columns(pl.col(times).to_physical()).to_dicts()
    outcomes: dict[int, Row | Reason] = {}
    for row in rows:
        maps = {key: {entry["key"]: entry["value"] for entry in row[key]} for key in _MAPS & row.keys()}
        outcomes[row["row"]] = {key: value for key, value in (row | maps).items() if key not in {"row", "schema_id"}}
    for row in decoded.rejects.to_dicts():
        assert row["row"] not in outcomes
        outcomes[row["row"]] = Reason(row["reason"])
    return [outcomes[index] for index in range(count)]


def _decode(name: str, records: list[bytes]) -> Decoded:
    """Ids that mutation made up are ones that the registry does not know."""
    try:
        found: Decoded = _DECODERS[name](records, SCHEMAS)
    except SchemaNotResolved as error:
        unknown = dict.fromkeys(error.missing, SCHEMAS[2147483647])
        found = _DECODERS[name](records, {**SCHEMAS, **unknown})
    return found


@pytest.mark.parametrize("name", _DECODERS)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_records_become_the_same_rows(name: str, data: st.DataObject) -> None:
    records = data.draw(st.lists(values(name), max_size=8))
    assert _outcomes(_decode(name, records), len(records)) == [_obvious(value, name) for value in records]


@pytest.mark.parametrize("name", _DECODERS)
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_records_meet_the_same_fate(name: str, data: st.DataObject) -> None:
    records = data.draw(st.lists(values(name) | mutated(name), min_size=1, max_size=8))
    assert _outcomes(_decode(name, records), len(records)) == [_obvious(value, name) for value in records]


@pytest.mark.parametrize("name", _DECODERS)
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_bytes_meet_the_same_fate(name: str, data: st.DataObject) -> None:
    header = st.sampled_from([b"\0\0\0\0" + bytes([schema_id]) for schema_id in range(1, len(IDS) + 1)])
    records = data.draw(st.lists(st.builds(bytes.__add__, header, st.binary(max_size=30)), min_size=1, max_size=8))
    assert _outcomes(_decode(name, records), len(records)) == [_obvious(value, name) for value in records]


@given(st.lists(values("user-event"), min_size=1, max_size=6), st.integers(1, 5))
def test_a_slice_in_pieces_is_the_slice(records: list[bytes], size: int) -> None:
    whole = decode_user_events(records, SCHEMAS).frame
    pieces = [
        decode_user_events(records[start : start + size], SCHEMAS).frame.with_columns(pl.col("row") + start)
        for start in range(0, len(records), size)
    ]
    assert pl.concat(pieces).sort("row").equals(whole.sort("row"))


def test_times_are_milliseconds_since_1970() -> None:
    from tests.schemas.examples import examples

    example = next(one for one in examples("good", "user-event") if one.name == "v1_defaults")
    time = decode_user_events([example.value], SCHEMAS).frame["event_time"].item()
    assert time == EPOCH + timedelta(milliseconds=1763700000000)
