"""Queries that differ in compared strings alone are one; whatever else a string may mean keeps them apart."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.clickhouse.lexer import tokens
from infra.clickhouse.parse import Parser
from infra.clickhouse.shape import shape

ONE = [
    ("SELECT * FROM s WHERE id = 'a'", "SELECT * FROM s WHERE id = 'b, c'"),
    ("SELECT 1 WHERE a>='1' AND b BETWEEN '2' AND '3'", "SELECT 1 WHERE a>='9' AND b BETWEEN '2' AND '3'"),
    ("SELECT * FROM top(day = '2026-03-01', tenant = '')", "SELECT * FROM top(day = '2026-03-02', tenant = 't')"),
]
OTHERS = [
    ("SELECT * FROM 'a'", "SELECT * FROM 'b'"),
    ("SELECT f('a')", "SELECT f('b')"),
    ("SELECT 1 IN ('a = ', 'b')", "SELECT 1 IN ('a = ', 'c')"),
    ("SELECT 1 IN ('a = ', 'b')", "SELECT 1 IN ('a = ''', 'b')"),
    ("SELECT a = '' 'b'", "SELECT a = '' 'c'"),
    ("SELECT a = 'b'", "SELECT a = b"),
    ("SELECT a = ''", "SELECT a = ''''"),
    ("SELECT a = '1' FROM b", "SELECT a = '1' FROM c"),
    ("SELECT a = '\\'', file('x')", "SELECT a = '\\'', file('y')"),
    ("SELECT a -- = '\n, 'x'", "SELECT a -- = '\n, 'y'"),
    ("SELECT a /* = '*/, 'x'", "SELECT a /* = '*/, 'y'"),
    ("SELECT a, \"= '\", 'x'", "SELECT a, \"= '\", 'y'"),
    ("SELECT a, $$= '$$, 'x'", "SELECT a, $$= '$$, 'y'"),
    ("SELECT a = '\0'", "SELECT a = '\1'"),
    ("SELECT a = 'x", "SELECT a = 'y"),
]
WORDS = ["SELECT ", "a", " = ", "'", "''", "'b'", ", ", " < ", "FROM t", "\\", "--", "\n", '"', "(", ")"]


@pytest.mark.parametrize(("first", "second"), ONE)
def test_compared_strings_make_no_difference(first: str, second: str) -> None:
    assert shape(first) == shape(second)


@pytest.mark.parametrize(("first", "second"), OTHERS)
def test_anything_else_does(first: str, second: str) -> None:
    assert shape(first) != shape(second)


def structure(sql: str) -> list[tuple[str, bytes]]:
    """The tokens, but for the text of strings behind a comparison."""
    found = list(tokens(sql.encode()))
    before = [b"", *(token.text for token in found)]
    return [
        (token.kind, b"" if token.kind == "string" and last in (b"=", b"<", b">") else token.text)
        for last, token in zip(before, found, strict=False)
    ]


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.lists(st.sampled_from(WORDS), max_size=12))
def test_texts_of_one_shape_have_the_same_tokens(one: list[str], other: list[str]) -> None:
    """Compared with each other, and with themselves after a change of the first string that is compared."""
    texts = ["".join(one), "".join(other), "".join(one).replace("'b'", "'c d'", 1)]
    for first, second in itertools.combinations(texts, 2):
        if shape(first) == shape(second):
            assert structure(first) == structure(second)


class Engine:
    """Answers with one tree, and knows how often it was asked."""

    def __init__(self, tree: str) -> None:
        self.tree, self.asked = tree, 0

    def __call__(self, _: str, __: Mapping[str, str]) -> str:
        self.asked += 1
        return self.tree


def test_a_shape_is_parsed_once_and_cut_anew() -> None:
    parser, engine = Parser(), Engine('{"type": "SelectWithUnionQuery", "format_ast": {"name": "CSV"}}')
    for word in ("one", "another one", "one"):
        select = parser.parse(f"SELECT 1 WHERE id = '{word}' FORMAT CSV SETTINGS a = 1", engine).select
        assert select is not None
        assert (select.before, select.after) == (f"SELECT 1 WHERE id = '{word}' ", " SETTINGS a = 1")
    assert engine.asked == 1


def test_what_is_no_query_is_known_by_its_text_alone() -> None:
    parser, engine = Parser(), Engine('{"type": "SetQuery"}')
    for word in ("one", "two", "one"):
        parser.parse(f"SET a = '{word}'", engine)
    assert engine.asked == 2
