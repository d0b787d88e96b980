"""What a statement is, as the engine's own parser tells it.

No comment, quoting or letter case can hide anything from the parser that will run the statement, and it takes one
statement at a time.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from infra.clickhouse.allowed import READ_PREFIXES, READS
from infra.clickhouse.errors import Code, QueryError
from infra.clickhouse.lexer import tokens
from infra.clickhouse.settings import escaped
from infra.clickhouse.shape import shape
from infra.clickhouse.statement import Select, cut_select

Node = Mapping[str, Any]
Ask = Callable[[str, Mapping[str, str]], str]
"""Runs a query with parameters on the engine and returns its one value; raises `QueryError`."""

_UNSUPPORTED = re.compile(r"AST node of type '([^']+)'")
_INLINE_DATA = "INSERT with inline data"


@dataclass(frozen=True)
class Statement:
    """One statement: the kind and the tree of its node, and, of a SELECT, the place where its output is named."""

    kind: str
    tree: Node
    select: Select | None

    @property
    def only_reads(self) -> bool:
        """Whether the statement changes nothing but the session it runs in."""
        return self.kind in READS or self.kind.startswith(READ_PREFIXES)

    @property
    def alters_session(self) -> bool:
        """Whether the session is another one afterwards."""
        return self.kind in ("UseQuery", "SetQuery") or bool(self.tree.get("is_temporary"))

    @property
    def has_rows(self) -> bool:
        """Whether it answers with rows, be they none."""
        return self.only_reads and self.kind not in ("UseQuery", "SetQuery")

    @property
    def format(self) -> str | None:
        """The format that the statement itself asks for."""
        name: str | None = self.tree.get("format_ast", {}).get("name")
        return name

    def nodes(self) -> Iterator[Node]:
        """Every node of the tree."""
        return nodes(self.tree)


def nodes(tree: Any) -> Iterator[Node]:
    """Every object below and including `tree`; flat, as a statement may nest deeper than Python's stack."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def parse(sql: str, ask: Ask) -> Statement:
    """Parses a statement; raises the engine's own error when it is none or more than one."""
    try:
        tree = json.loads(ask("SELECT parseQueryToJSON({sql:String})", {"sql": escaped(sql)}))
    except RecursionError as error:
        raise QueryError.of(Code.TOO_DEEP_AST, "the statement nests too deeply: put parts of it into WITH") from error
    except QueryError as error:
        if _INLINE_DATA in error.message:
            raise QueryError.of(
                Code.NOT_IMPLEMENTED, "INSERT ... SELECT takes no data of its own: insert them into a table first"
            ) from error
        unsupported = _UNSUPPORTED.search(error.message)
        if not unsupported:
            raise
        return Statement(unsupported.group(1), _outline(sql, ask), None)
    statement = Statement(tree["type"], tree, None)
    if not statement.kind.startswith("Select"):
        return statement
    return Statement(statement.kind, tree, cut_select(sql, statement.format))


class Parser:
    """Remembers short statements: what a statement is does not depend on the session it is asked in.

    Of queries of one shape it remembers the first, whose compared values nobody reads.
    """

    def __init__(self, most: int = 2000, longest: int = 16 << 10) -> None:
        self._known: dict[Hashable, tuple[str, Statement]] = {}
        self._most = most
        self._longest = longest

    def parse(self, sql: str, ask: Ask) -> Statement:
        """As the function `parse`, but for the compared values in the tree, which may be another query's."""
        form = shape(sql) if len(sql) <= self._longest else sql
        text, statement = self._known.get(form) or self._known.get(sql) or ("", None)
        if statement is None:
            return self._parsed(sql, form, ask)
        return statement if text == sql else replace(statement, select=cut_select(sql, statement.format))

    def _parsed(self, sql: str, form: Hashable, ask: Ask) -> Statement:
        statement = parse(sql, ask)
        if len(self._known) >= self._most:
            self._known.clear()
        if len(sql) <= self._longest:
            self._known[form if statement.select else sql] = sql, statement
        return statement


def _outline(sql: str, ask: Ask) -> Node:
    """The functions that a statement names, and its INTO OUTFILE, where the parser gives no tree."""
    canonical = ask("SELECT formatQuerySingleLine({sql:String})", {"sql": escaped(sql)})
    words = [token.text.upper() if token.kind == "word" else token.text for token in tokens(canonical.encode())]
    pairs = list(itertools.pairwise(words))
    names = [first.decode("utf-8", "replace").strip('`"') for first, second in pairs if second == b"("]
    outline: dict[str, Any] = {"called": [{"type": "Function", "name": name} for name in names]}
    return outline | ({"out_file": True} if (b"INTO", b"OUTFILE") in pairs else {})
