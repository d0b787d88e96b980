"""Every example does what its file says, in both decoders and the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import polars as pl
import pytest

from schemas import rules
from schemas.codec import (
    Decoded,
    Schemas,
    decode_external_signals,
    decode_inventory_updates,
    decode_record,
    decode_service_tickets,
    decode_transactions,
    decode_user_events,
    decode_user_profiles,
    decode_user_sightings,
)
from schemas.frames import POSITION_COLUMNS, TIMESTAMP
from schemas.reasons import Reason, Refused
from schemas.subjects import subject, subjects
from schemas.topics import TOPICS
from schemas.verdicts import READERS
from tests.schemas.examples import FOLDER, IDS, Example, examples, name_of, schemas

Decoder = Callable[[Sequence[bytes | None], Schemas], Decoded]
DECODERS: dict[str, Decoder] = {
    "user-event": decode_user_events,
    "transaction": decode_transactions,
    "user-profile": decode_user_profiles,
    "inventory-update": decode_inventory_updates,
    "service-ticket": decode_service_tickets,
    "external-signal": decode_external_signals,
    "user-sighting": decode_user_sightings,
}
READER_OF = {str(TOPICS[name].subject): reader for name, reader in READERS.items()}
GOOD_COLUMNAR = examples("good", *DECODERS)
BAD = examples("bad")


def _positioned(frame: pl.DataFrame, append_time: pl.Expr) -> pl.DataFrame:
    zero = {name: pl.lit(0, kind) for name, kind in POSITION_COLUMNS.items() if name != "append_time"}
    return frame.with_columns(**zero, append_time=append_time.cast(TIMESTAMP))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: round(value.timestamp() * 1000) if isinstance(value, datetime) else value for key, value in row.items()
    }


@pytest.mark.parametrize("example", GOOD_COLUMNAR, ids=name_of)
def test_a_good_example_becomes_its_row(example: Example) -> None:
    decoded = DECODERS[example.subject]([example.value], schemas())

    assert decoded.rejects.is_empty(), decoded.rejects.to_dicts()
    row = _plain(decoded.frame.row(0, named=True))
    assert {key: row[key] for key in example.content["frame"]} == example.content["frame"]
    assert row["row"] == 0
    assert row["schema_id"] == IDS[example.writer.subject, example.writer.version]


@pytest.mark.parametrize("example", GOOD_COLUMNAR, ids=name_of)
def test_a_good_example_keeps_all_rules(example: Example) -> None:
    frame = _positioned(
        DECODERS[example.subject]([example.value], schemas()).frame, pl.col(READER_OF[example.subject].time)
    )

    good, refused = rules.apply(rules.rules_for(example.subject), frame)

    assert refused.is_empty(), refused["message"].to_list()
    assert good.equals(frame)


def _given(read: Any, written: Any) -> Any:
    """What was read, without the fields that later versions add."""
    if isinstance(written, list):
        return [_given(item, own) for item, own in zip(read, written, strict=True)]
    if isinstance(written, dict):
        return {key: _given(read[key], own) for key, own in written.items()}
    return read


@pytest.mark.parametrize("example", examples("good"), ids=name_of)
def test_a_good_example_is_read_as_a_record(example: Example) -> None:
    read = decode_record(example.value, schemas(), subject(example.subject).latest)

    assert example.record is not None
    assert _given(read, example.record) == example.record


@pytest.mark.parametrize("example", [one for one in BAD if "append_time" not in one.content], ids=name_of)
def test_a_bad_example_is_refused_at_decode(example: Example) -> None:
    decoded = DECODERS[example.subject]([example.value], schemas())

    assert decoded.frame.is_empty()
    assert decoded.rejects["reason"].to_list() == [example.reason]
    if example.reason not in {"unknown_currency", "amount_not_finite", "amount_range"}:
        with pytest.raises(Refused) as refused:
            decode_record(example.value, schemas(), subject(example.subject).latest)
        assert refused.value.reason == example.reason


@pytest.mark.parametrize("example", [one for one in BAD if "append_time" in one.content], ids=name_of)
def test_a_bad_example_is_refused_by_the_rules(example: Example) -> None:
    decoded = DECODERS[example.subject]([example.value], schemas())
    frame = _positioned(decoded.frame, pl.lit(example.content["append_time"]))

    good, refused = rules.apply(rules.rules_for(example.subject), frame)

    assert good.is_empty()
    assert refused["reason"].to_list() == [example.reason]


@pytest.mark.parametrize("name", DECODERS)
def test_no_bad_record_spoils_its_neighbours(name: str) -> None:
    good = [example.value for example in examples("good", name)]
    bad = [example.value for example in examples("bad", name) if "append_time" not in example.content]
    mixed = [value for pair in zip(good * len(bad), bad * len(good), strict=True) for value in pair]

    decoded = DECODERS[name](mixed, schemas())

    assert decoded.frame["row"].sort().to_list() == list(range(0, len(mixed), 2))
    assert decoded.rejects["row"].to_list() == list(range(1, len(mixed), 2))
    alone = DECODERS[name](good * len(bad), schemas()).frame
    assert decoded.frame.drop("row").equals(alone.drop("row"))


@pytest.mark.parametrize(("name", "columns"), [(name, reader.columns) for name, reader in READER_OF.items()])
@pytest.mark.parametrize("values", [[], [None], None], ids=["empty", "refused", "good"])
def test_frames_have_the_columns_that_all_layers_exchange(
    name: str, columns: dict[str, pl.DataType], values: list[bytes | None] | None
) -> None:
    decoded = DECODERS[name]([one.value for one in examples("good", name)] if values is None else values, schemas())

    wanted = {key: kind for key, kind in columns.items() if key not in POSITION_COLUMNS} | {"row": pl.UInt32()}
    assert dict(decoded.frame.schema) == wanted
    assert dict(decoded.rejects.schema) == {"row": pl.UInt32, "reason": pl.String, "message": pl.String}


def test_the_whole_address_is_in_no_frame() -> None:
    for example in examples("good", "user-event"):
        record = example.record
        assert record is not None
        address = record["context"]["ip"]
        frame = decode_user_events([example.value], schemas()).frame
        assert not address or address not in str(frame.to_dicts())


def test_no_example_is_an_orphan() -> None:
    for path in FOLDER.rglob("*"):
        if path.is_file():
            name, kind, file = path.relative_to(FOLDER).parts
            assert name in subjects(), path
            assert kind in {"good", "bad"}, path
            assert file.endswith(".json"), path
            assert kind == "good" or name in DECODERS, path


def test_every_subject_has_a_good_example_of_every_version() -> None:
    shown = {(example.writer.subject, example.writer.version) for example in examples("good")}
    assert shown == set(IDS)


def test_every_reason_of_the_codec_has_an_example() -> None:
    shown = {example.reason for example in BAD}
    not_shown = {"too_large", "unsupported_schema", "bad_boolean", "undecodable", "unknown_platform"}
    assert {reason.value for reason in Reason} - shown == not_shown
