"""Damage done to encoded records."""

from infra.messages import damaged


def test_half_of_the_avro_bytes_are_cut_off_and_the_header_stays() -> None:
    assert damaged(b"\x00\x00\x00\x00\x07abcdefg", "truncated") == b"\x00\x00\x00\x00\x07abc"


def test_an_unknown_schema_id_replaces_the_id_and_nothing_else() -> None:
    assert damaged(b"\x00\x00\x00\x00\x07abc", "unknown_schema_id") == b"\x00\x7f\xff\xff\xffabc"
