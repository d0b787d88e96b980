"""Records of schemas that we do not have yet are read by Avro's rules, or refused with the reason."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import fastavro.utils
import pytest

from schemas.avro_types import UnsupportedSchema, parse
from schemas.codec import RefusedSchema, WriterSchema, decode_transactions, decode_user_events, header, writer_schema
from schemas.reasons import Reason
from schemas.subjects import subject
from tests.schemas.examples import examples

ID = 77
EVENT: dict[str, Any] = next(one for one in examples("good", "user-event") if one.name == "v2_all_fields").record or {}
ORDER: dict[str, Any] = next(one for one in examples("good", "transaction") if one.name == "v2_tenant").record or {}


def _value(schema: dict[str, Any], record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    out.write(header(ID))
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), record)
    return out.getvalue()


def _event_schema(**changed: Any) -> dict[str, Any]:
    """The newest event schema with fields added, or changed, or left out (None)."""
    schema = subject("user-event").latest.schema
    fields = {entry["name"]: entry for entry in schema["fields"]}
    fields |= {name: None if kind is None else {"name": name, "type": kind} for name, kind in changed.items()}
    return {**schema, "fields": [entry for entry in fields.values() if entry]}


def _decode_event(schema: dict[str, Any], record: dict[str, Any]) -> Any:
    return decode_user_events([_value(schema, record)], {ID: writer_schema(ID, json.dumps(schema))})


def test_fields_that_we_do_not_know_are_skipped() -> None:
    item = {
        "type": "record",
        "name": "Extra",
        "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "boolean"}],
    }
    schema = _event_schema(extra={"type": "array", "items": item}, score="double", rank=["null", "int"])
    record = {**EVENT, "extra": [{"a": 1, "b": True}], "score": 0.5, "rank": None}

    assert _decode_event(schema, record).frame["event_id"].to_list() == [EVENT["eventId"]]


def test_an_int_in_a_field_that_we_do_not_know_is_judged_all_the_same() -> None:
    value = _value(_event_schema(extra="long"), {**EVENT, "extra": 2**40})
    schema = _event_schema(extra="int")

    rejects = decode_user_events([value], {ID: writer_schema(ID, json.dumps(schema))}).rejects

    assert rejects["reason"].to_list() == [Reason.INT_RANGE]


def test_an_int_is_read_as_long() -> None:
    decoded = _decode_event(_event_schema(timestamp="int"), {**EVENT, "timestamp": 5})
    assert decoded.frame["event_time"].to_physical().to_list() == [5]


def test_a_field_that_can_no_longer_be_null_is_read() -> None:
    decoded = _decode_event(_event_schema(userId="string"), EVENT)
    assert decoded.frame["user_id"].to_list() == [EVENT["userId"]]


def test_a_union_in_the_other_order_is_read() -> None:
    decoded = _decode_event(_event_schema(userId=["string", "null"]), {**EVENT, "userId": None})
    assert decoded.frame["user_id"].to_list() == [None]


def test_logical_types_are_read_as_what_they_annotate() -> None:
    schema = _event_schema(timestamp={"type": "long", "logicalType": "timestamp-millis"})
    decoded = _decode_event(schema, EVENT)
    assert decoded.frame["event_time"].to_physical().to_list() == [EVENT["timestamp"]]


def test_a_new_symbol_is_refused_where_it_is_used() -> None:
    symbols = ["wishlist", "page_view", "click", "purchase", "add_to_cart", "search"]
    schema = _event_schema(eventType={"type": "enum", "name": "EventType", "symbols": symbols})
    schemas = {ID: writer_schema(ID, json.dumps(schema))}
    values = [_value(schema, {**EVENT, "eventType": kind}) for kind in ("search", "wishlist", "click")]

    decoded = decode_user_events(values, schemas)

    assert decoded.frame["event_type"].to_list() == ["search", "click"]
    assert decoded.rejects.to_dicts() == [
        {"row": 1, "reason": "unknown_symbol", "message": "EventType is not known here"}
    ]


def test_an_item_that_does_not_fit_refuses_its_order_alone() -> None:
    schema = subject("transaction").latest.schema
    schema["fields"][2]["type"]["items"]["fields"][1]["type"] = "long"
    big, small = ({**ORDER, "orderItems": [{**ORDER["orderItems"][0], "quantity": number}]} for number in (2**40, 3))
    values = [_value(schema, order) for order in (small, big, {**ORDER, "orderItems": []}, small)]
    ours = {ID: writer_schema(ID, subject("transaction").latest.text)}

    decoded = decode_transactions(values, ours)

    assert decoded.rejects.rows() == [(1, Reason.INT_RANGE, "a number does not fit into an int")]
    assert decoded.frame["items"].list.len().to_list() == [1, 0, 1]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"eventId": None}, "missing, and it has no default"),
        ({"timestamp": "string"}, "string cannot be read as long"),
        ({"sessionId": ["null", "string"]}, "Nullable cannot be read as Primitive"),
        ({"properties": {"type": "map", "values": "long"}}, "long cannot be read as string"),
        ({"eventType": {"type": "enum", "name": "Kind", "symbols": ["click"]}}, "enum Kind is not EventType"),
    ],
)
def test_a_schema_that_cannot_be_resolved_refuses_its_records(changed: dict[str, Any], why: str) -> None:
    text = json.dumps(_event_schema(**changed))

    rejects = decode_user_events([header(ID) + b"x"], {ID: writer_schema(ID, text)}).rejects

    assert rejects["reason"].to_list() == [Reason.INCOMPATIBLE_SCHEMA]
    assert why in rejects["message"].item()


RECURSIVE = {"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}]}


def _bushy(depth: int) -> dict[str, Any]:
    """A schema of few names, each used twice by the next, so that it unfolds to twice as many types with each."""
    below = {"name": "x", "type": "int"} if depth == 0 else {"name": "a", "type": _bushy(depth - 1)}
    again = [] if depth == 0 else [{"name": "b", "type": f"A{depth - 1}"}]
    return {"type": "record", "name": f"A{depth}", "fields": [below, *again]}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not an Avro schema"),
        ("[" * 100_000, "not an Avro schema"),
        ('{"type": 5}', "not an Avro schema"),
        ('"string"', "outermost type is no record"),
        (json.dumps(RECURSIVE), "contains itself"),
        (json.dumps(_bushy(12)), "unfolds to more than"),
        ('{"type":"record","name":"E","fields":[]}', "no fields"),
        (
            '{"type":"record","name":"N","fields":[{"name":"x","type":{"type":"array","items":"null"}}]}',
            "null is not read",
        ),
        ('{"type":"record","name":"U","fields":[{"name":"x","type":["int","string"]}]}', "not \\[null, T\\]"),
        (
            '{"type":"record","name":"F","fields":[{"name":"x","type":{"type":"fixed","name":"H","size":4}}]}',
            "fixed is not read",
        ),
    ],
)
def test_schemas_that_are_not_read(text: str, why: str) -> None:
    with pytest.raises(UnsupportedSchema, match=why):
        parse(text)
    refused = writer_schema(ID, text)
    assert isinstance(refused, RefusedSchema)
    rejects = decode_user_events([header(ID) + b"x"], {ID: refused}).rejects
    assert rejects["reason"].to_list() == [Reason.UNSUPPORTED_SCHEMA]


SHAPES: list[Any] = [
    "boolean",
    "int",
    "float",
    "double",
    {"type": "enum", "name": "E", "symbols": ["a", "b"]},
    {"type": "array", "items": "string"},
    {"type": "array", "items": ["null", "int"]},
    {"type": "map", "values": ["null", "double"]},
    {"type": "map", "values": {"type": "map", "values": "boolean"}},
    {"type": "array", "items": {"type": "array", "items": {"type": "map", "values": "int"}}},
    {"type": "record", "name": "R", "fields": [{"name": "x", "type": ["string", "null"]}]},
]


@pytest.mark.parametrize("shape", [*SHAPES, *(["null", shape] for shape in SHAPES)], ids=json.dumps)
def test_any_shape_that_is_parsed_is_decoded(shape: Any) -> None:
    schema = _event_schema(extra=shape)
    filled = list(fastavro.utils.generate_many(fastavro.parse_schema(json.loads(json.dumps(schema))), 20))
    values = [_value(schema, record) for record in filled]

    decoded = decode_user_events(values, {ID: writer_schema(ID, json.dumps(schema))})

    assert decoded.frame["event_id"].to_list() == [record["eventId"] for record in filled]


def test_a_schema_that_the_bulk_decoder_cannot_parse_refuses_its_records() -> None:
    schema = _event_schema(extra={"type": "enum", "name": "E", "symbols": ["not-a-name"]})

    rejects = decode_user_events([header(ID) + b"x"] * 2, {ID: writer_schema(ID, json.dumps(schema))}).rejects

    assert rejects["reason"].to_list() == [Reason.UNSUPPORTED_SCHEMA] * 2


def test_bytes_are_read_in_records_only() -> None:
    assert isinstance(writer_schema(ID, subject("dead-letter").latest.text), WriterSchema)
    value = _value(_event_schema(extra="bytes"), {**EVENT, "extra": b"\xff"})

    rejects = decode_user_events([value], {ID: writer_schema(ID, json.dumps(_event_schema(extra="bytes")))}).rejects

    assert rejects["reason"].to_list() == [Reason.UNSUPPORTED_SCHEMA]
