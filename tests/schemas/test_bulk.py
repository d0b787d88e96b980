"""The guard word and the search for bad records."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pyruhvro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import SchemaNotResolved, decode_user_events, header, resolve, schema_ids
from schemas.codec.bulk import guard_for
from schemas.reasons import Reason
from schemas.topics import MAX_RECORD_BYTES
from tests.schemas.examples import UNKNOWN_ID, examples, schemas

GUARDS = st.just(guard_for(b"")) | st.just(guard_for(guard_for(b"")))
GOOD = next(one.value for one in examples("good", "user-event") if one.name == "v1_defaults") or b""


@given(st.lists(st.binary(max_size=8) | GUARDS, max_size=6))
def test_a_guard_is_in_no_data_and_never_begins_again_in_itself(parts: list[bytes]) -> None:
    data = b"".join(parts)
    guard = guard_for(data)

    assert len(guard) == 8
    assert guard not in data
    assert not any(guard.endswith(guard[:length]) for length in range(1, 8))
    assert guard_for(data) == guard


def test_bytes_after_a_record_are_found_whatever_guard_they_copy() -> None:
    first, second = guard_for(b""), guard_for(guard_for(b""))
    copies = [GOOD + first, GOOD + second, GOOD + first + second, GOOD + first[:1]]

    decoded = decode_user_events([GOOD, *copies, GOOD], schemas())

    assert decoded.frame["row"].to_list() == [0, 5]
    assert set(decoded.rejects["reason"]) == {Reason.TRAILING_BYTES}


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of values of every bulk decode: a slice comes as one, the parts of a bad one record by record."""
    sizes: list[int] = []
    decode = pyruhvro.deserialize_array

    def counted(values: list[bytes], schema: str) -> object:
        sizes.append(len(values))
        return decode(values, schema)

    monkeypatch.setattr(pyruhvro, "deserialize_array", counted)
    yield sizes


def test_a_clean_slice_is_decoded_once(decodes: list[int]) -> None:
    decode_user_events([GOOD] * 1000, schemas())
    assert decodes == [1]


@pytest.mark.parametrize("bad", [1, 3, 20])
def test_few_bad_records_cost_few_decodes(decodes: list[int], bad: int) -> None:
    count = 4096
    values = [GOOD] * count
    for index in range(bad):
        values[index * count // bad] = GOOD[:-1]

    decoded = decode_user_events(values, schemas())

    assert len(decoded.rejects) == bad
    assert len(decodes) <= 4 + 2 * bad * math.log2(count)
    assert sum(decodes) <= count * (5 + math.ceil(math.log2(bad)))


def test_a_schema_id_that_was_not_asked_for_stops_the_slice() -> None:
    with pytest.raises(SchemaNotResolved) as stopped:
        decode_user_events([GOOD, header(4711) + b"x", header(4712) + b"x"], schemas())
    assert stopped.value.missing == {4711, 4712}


def test_only_ids_that_can_be_are_asked_for() -> None:
    values = [GOOD, None, b"", b"\1\0\0\0\7x", header(UNKNOWN_ID), b"\0\xff\xff\xff\xff", b"x" * (MAX_RECORD_BYTES + 1)]
    asked: list[int] = []

    def resolver(schema_id: int) -> object:
        asked.append(schema_id)
        return schemas()[schema_id]

    resolve(values, resolver)  # type: ignore[arg-type] # the list is the point, not the answers

    assert asked == sorted(schema_ids(values)) == sorted({int.from_bytes(GOOD[1:5], "big"), UNKNOWN_ID})


def test_what_a_resolver_cannot_know_stops_the_slice() -> None:
    def lost(schema_id: int) -> object:
        raise ConnectionError(schema_id)

    with pytest.raises(ConnectionError):
        resolve([GOOD], lost)  # type: ignore[arg-type] # it never answers


def test_slices_of_any_size_are_cut_to_what_one_decode_can_hold(
    decodes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = decode_user_events([GOOD] * 10 + [GOOD[:-1]], schemas())
    decodes.clear()
    monkeypatch.setattr("schemas.codec.columnar._PART_BYTES", 3 * len(GOOD))

    parts = decode_user_events([GOOD] * 10 + [GOOD[:-1]], schemas())

    assert parts.frame.equals(whole.frame)
    assert parts.rejects.equals(whole.rejects)
    assert max(decodes) == 3


def test_a_value_over_the_limit_is_not_decoded() -> None:
    decoded = decode_user_events([GOOD + b"\0" * MAX_RECORD_BYTES, GOOD], schemas())
    assert decoded.rejects["reason"].to_list() == [Reason.TOO_LARGE]
    assert decoded.frame["row"].to_list() == [1]


def test_a_value_of_two_whole_records_is_refused_alone() -> None:
    decoded = decode_user_events([GOOD, GOOD + b"12345678" + GOOD, GOOD], schemas())
    assert decoded.frame["row"].to_list() == [0, 2]
    assert decoded.rejects["row"].to_list() == [1]
