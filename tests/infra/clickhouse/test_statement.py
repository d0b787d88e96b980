"""Cutting statements: where an INSERT's data begin, where a SELECT's output is named."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.clickhouse.lexer import tokens
from infra.clickhouse.statement import Incomplete, cut_select, first_word, insert_head

TARGETS = [
    "t",
    "`a b`",
    '"FORMAT"',
    "db.t",
    "TABLE values",
    "format",
    "FUNCTION f('VALUES', 'x FORMAT CSV')",
    "t (a, `b`)",
]
COMMENTS = st.sampled_from([" ", "\n", " -- VALUES\n", "/* FORMAT CSV */", "\t# SELECT\n", " /* ' */ "])


@given(st.sampled_from(TARGETS), COMMENTS, COMMENTS, st.binary(max_size=50))
def test_data_begin_where_the_format_ends(target: str, one: str, two: str, data: bytes) -> None:
    text = f"{one}INSERT{one}INTO{two}{target}{two}FORMAT{one}Native\n".encode()

    head = insert_head(text + data, complete=True)

    assert head is not None
    assert head.format == "Native"
    assert (text + data)[head.data_start :] == data
    assert head.statement == text[: text.rindex(b"FORMAT" + one.encode() + b"Native")]


@given(st.sampled_from(TARGETS), COMMENTS, st.integers(min_value=1))
def test_a_part_of_a_head_is_never_taken_for_the_head(target: str, comment: str, length: int) -> None:
    text = f"INSERT INTO {target}{comment}FORMAT CSVWithNames\n1,2\n".encode()
    part = text[: length % len(text)]

    try:
        head = insert_head(part, complete=False)
    except Incomplete:
        return
    assert head is None or head.format == "CSVWithNames"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "INSERT INTO t SELECT 1 FORMAT CSV",
        "INSERT INTO t (a) WITH 1 AS x SELECT x",
        "INSERT INTO t (SELECT 1)",
        "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
        "EXPLAIN INSERT INTO t VALUES (1)",
        "",
        "-- INSERT INTO t VALUES (1)",
    ],
)
def test_statements_without_data_have_no_head(sql: str) -> None:
    assert insert_head(sql.encode(), complete=True) is None


@pytest.mark.parametrize(
    ("tail", "data"),
    [("CSV 1,2", "1,2"), ("CSV;1,2", "1,2"), ("CSV \t\r\n\n1", "\n1"), ("CSV\n 1", " 1"), ("CSV", "")],
)
def test_what_is_skipped_before_the_data(tail: str, data: str) -> None:
    text = f"INSERT INTO t FORMAT {tail}".encode()

    head = insert_head(text, complete=True)

    assert head is not None
    assert text[head.data_start :] == data.encode()


def test_data_of_values_begin_behind_the_word() -> None:
    text = b"INSERT INTO t (`VALUES`) VALUES (1), ('FORMAT CSV')"

    head = insert_head(text, complete=True)

    assert head is not None
    assert (head.format, text[head.data_start :]) == ("Values", b" (1), ('FORMAT CSV')")


def test_the_first_word_is_behind_comments_and_brackets() -> None:
    assert first_word(b"/* a */ -- b\n ((select 1)") == b"SELECT"
    assert first_word(b" 'x' ") == b""


@pytest.mark.parametrize(
    ("sql", "name", "expected"),
    [
        ("SELECT 1", None, "SELECT 1\nINTO OUTFILE 'f' TRUNCATE FORMAT TSV"),
        ("SELECT 1; -- x", None, "SELECT 1\nINTO OUTFILE 'f' TRUNCATE FORMAT TSV"),
        ("SELECT 'FORMAT CSV' FORMAT CSV", "CSV", "SELECT 'FORMAT CSV' \nINTO OUTFILE 'f' TRUNCATE FORMAT CSV"),
        (
            "SELECT 1 format JSON SETTINGS a = 1;",
            "JSON",
            "SELECT 1 \nINTO OUTFILE 'f' TRUNCATE FORMAT JSON SETTINGS a = 1",
        ),
        ("SELECT (1) FORMAT`JSON`", "JSON", "SELECT (1) \nINTO OUTFILE 'f' TRUNCATE FORMAT JSON"),
    ],
)
def test_the_output_is_named_before_the_format(sql: str, name: str | None, expected: str) -> None:
    assert cut_select(sql, name).into("f", None, "TSV") == expected


def test_the_output_may_be_compressed() -> None:
    assert "TRUNCATE COMPRESSION 'zstd' FORMAT" in cut_select("SELECT 1", None).into("f", "zstd", "TSV")


@given(st.binary(max_size=200))
def test_any_bytes_have_tokens(sql: bytes) -> None:
    found = list(tokens(sql))

    assert all(token.text == sql[token.start : token.end] for token in found)
    assert all(one.end <= two.start for one, two in itertools.pairwise(found))
