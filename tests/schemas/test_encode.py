"""Rows become records that the contracts' reader reads back."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from schemas.codec import decode_record
from schemas.codec.encode import encode_columns, snake
from schemas.frames import TIMESTAMP
from schemas.sessions import SessionRules, fold
from schemas.subjects import subject
from tests.merge.frames import event_frame
from tests.oracle.log import event
from tests.schemas.examples import IDS, examples, schemas

START = datetime(2026, 3, 1, 10, tzinfo=UTC)
GIVEN = {"x": "b"}
WINDOW = pl.DataFrame(
    {
        "tenant_id": ["t", "t"],
        "product_id": ["p", "é"],
        "window_start": [START, START],
        "log_epoch": [1, 1],
        "log_partition": [3, 4],
        "as_of": [7, 2**40],
        **{name: [1, 2] for name in ("views", "clicks", "add_to_carts", "purchases")},
        "ignored": [0, 0],
    },
    schema_overrides={"window_start": TIMESTAMP, "log_epoch": pl.Int32, "log_partition": pl.Int32},
)


def test_a_flat_row_is_read_back() -> None:
    contract = subject("product-popularity").latest
    encoded = encode_columns(WINDOW, contract, IDS["product-popularity", 1])
    read = [decode_record(value, schemas(), contract) for value in encoded]
    assert [(row["productId"], row["asOf"], row["addToCarts"]) for row in read] == [("p", 7, 1), ("é", 2**40, 2)]
    assert {row["windowStart"] for row in read} == {round(START.timestamp() * 1000)}
    assert encode_columns(WINDOW.clear(), contract, 1) == []


def test_a_row_of_sessions_is_read_back_also_when_none_is_left() -> None:
    contract = subject("session-metric").latest
    log = [
        event(0, "2026-03-01 10:00", page="/a", product="p", user="u", ip="17.1.1.1", tenant="t", experiments=GIVEN),
        event(1, "2026-03-01 12:00", page="/b", tenant="t"),
    ]
    sessions = fold(event_frame(log), SessionRules())
    keys = ["tenant_id", "session_id", "log_epoch", "log_partition"]
    one = sessions.group_by(keys).agg(sessions=pl.struct(pl.exclude(keys)))
    none = one.with_columns(sessions=pl.lit([], dtype=one.schema["sessions"]))
    rows = pl.concat([one, none, one]).with_columns(day=date(2026, 3, 1), as_of=pl.lit(1, pl.Int64))
    read = [
        decode_record(value, schemas(), contract) for value in encode_columns(rows, contract, IDS["session-metric", 2])
    ]
    assert [len(row["sessions"]) for row in read] == [2, 0, 2]
    assert read[0] == read[2]
    first, second = read[0]["sessions"]
    assert (first["entryPage"], first["userId"], first["country"], first["products"]) == ("/a", "u", "US", ["p"])
    assert (first["experiments"], second["experiments"], second["userId"]) == (["x=b"], [], None)
    assert read[0]["day"] == date(2026, 3, 1)


def test_names_of_fields_and_columns_correspond() -> None:
    assert [snake(name) for name in ("asOf", "windowStart", "addToCarts", "key")] == [
        "as_of",
        "window_start",
        "add_to_carts",
        "key",
    ]


def test_every_contract_that_we_write_can_be_encoded() -> None:
    for example in examples("good", "alert", "dead-letter", "user-sighting"):
        assert example.record is not None
        frame = pl.DataFrame([{snake(name): value for name, value in example.record.items()}])
        [encoded] = encode_columns(frame, example.writer, IDS[example.subject, example.writer.version])
        assert decode_record(encoded, schemas(), example.writer) == example.record


def test_a_map_is_a_list_of_pairs_in_frames() -> None:
    [example] = [one for one in examples("good", "alert") if one.name == "v2_evidence"]
    assert example.record is not None
    row = {snake(name): value for name, value in example.record.items()}
    frame = pl.DataFrame(
        [row | {"evidence": [{"key": name, "value": value} for name, value in row["evidence"].items()]}]
    )
    [encoded] = encode_columns(frame, example.writer, IDS[example.subject, example.writer.version])
    assert decode_record(encoded, schemas(), example.writer) == example.record
