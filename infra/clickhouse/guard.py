"""What a statement is, and whether its caller may run it here.

The engine's own parser answers the first question (``parseQueryToJSON``), so that comments, quoting and letter case
cannot hide anything; it also refuses more than one statement. Most of the second is the engine's too: it enforces the
grants of the caller's role. What is left for this module is what grants do not cover in chDB: statements that would
change the role, functions that reach files and other servers, engines that would break the store, and the system tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.clickhouse.access import DATABASE_ENGINES, TABLE_ENGINES, Profile
from infra.clickhouse.errors import Code, QueryError
from infra.clickhouse.lexer import tokens
from infra.clickhouse.settings import escaped
from infra.clickhouse.statement import Select, cut_select

READS = frozenset(
    [
        "SelectWithUnionQuery",
        "SelectIntersectExceptQuery",
        "ExplainQuery",
        "ShowTablesQuery",
        "ShowColumnsQuery",
        "ShowIndexesQuery",
        "ShowFunctions",
        "ShowSettingQuery",
        "ShowGrantsQuery",
        "ShowEngines",
        "DescribeQuery",
        "UseQuery",
        "SetQuery",
    ]
)
_READ_PREFIXES = ("Exists", "ShowCreate")
_WRITES = frozenset(
    [
        "InsertQuery",
        "CreateQuery",
        "DropQuery",
        "RenameQuery",
        "AlterQuery",
        "OptimizeQuery",
        "DeleteQuery",
        "UpdateQuery",
        "CheckTableQuery",
        "CreateIndexQuery",
        "DropIndexQuery",
        "CreateSQLFunctionQuery",
        "DropFunctionQuery",
        "KillQueryQuery",
        "SystemQuery",
        "BackupQuery",
        "ShowProcesslistQuery",
    ]
)
_WRITE_PREFIXES = ("UndropQuery",)

TABLE_FUNCTIONS = frozenset(
    [
        "numbers",
        "numbers_mt",
        "zeros",
        "zeros_mt",
        "primes",
        "generate_series",
        "generateseries",
        "generaterandom",
        "values",
        "view",
        "viewexplain",
        "viewifpermitted",
        "null",
        "format",
        "input",
        "merge",
        "dictionary",
        "mergetreeindex",
        "mergetreeprojection",
        "mergetreepartsinfo",
        "mergetreeanalyzeindexes",
        "mergetreetextindex",
        "loop",
        "timeseriessamples",
        "timeseriesdata",
        "timeseriestags",
        "timeseriesmetrics",
        "timeseriesselector",
    ]
)
"""Table functions that read nothing outside the store."""

_WRITER_FUNCTIONS = frozenset(("input", "merge", "dictionary", "loop"))
_REACHING_FUNCTIONS = frozenset(("file", "catboostevaluate", "python", "disk", "getclienthttpheader"))
_AI_FUNCTION = re.compile(r"ai[A-Z]\w*")
_UNSUPPORTED = re.compile(r"AST node of type '([^']+)'")

SYSTEM_TABLES = frozenset(
    [
        "aggregate_function_combinators",
        "build_options",
        "collations",
        "columns",
        "contributors",
        "current_roles",
        "data_skipping_indices",
        "data_type_families",
        "databases",
        "dictionaries",
        "enabled_roles",
        "formats",
        "functions",
        "keywords",
        "licenses",
        "numbers",
        "numbers_mt",
        "one",
        "settings",
        "table_engines",
        "table_functions",
        "tables",
        "time_zones",
        "zeros",
        "zeros_mt",
    ]
)
"""System tables that show an analyst nothing of other people's work; the engine filters those that list objects."""

Ask = Callable[[str, Mapping[str, str]], str]
"""Runs a query with parameters on the engine and returns its one value; raises `QueryError`."""


@dataclass(frozen=True)
class Statement:
    """One statement that the engine has parsed: its node's kind, its tree (if the engine gives it), how to run it."""

    kind: str
    tree: Mapping[str, Any]
    select: Select | None

    @property
    def only_reads(self) -> bool:
        """Whether the statement changes nothing but the session it runs in."""
        return self.kind in READS or self.kind.startswith(_READ_PREFIXES)

    @property
    def format(self) -> str | None:
        """The format that the statement itself asks for."""
        return _format_of(self.tree)

    @property
    def alters_session(self) -> bool:
        """Whether the session is another one afterwards."""
        return self.kind in ("UseQuery", "SetQuery") or bool(self.tree.get("is_temporary"))

    @property
    def has_rows(self) -> bool:
        """Whether it answers with rows, be they none."""
        return self.only_reads and self.kind not in ("UseQuery", "SetQuery")


def parse(sql: str, ask: Ask) -> Statement:
    """What the engine's parser says of a statement; the engine's own error when it is none or more than one."""
    try:
        tree = json.loads(ask("SELECT parseQueryToJSON({sql:String})", {"sql": escaped(sql)}))
    except QueryError as error:
        unsupported = _UNSUPPORTED.search(error.message)
        if not unsupported:
            raise
        return Statement(unsupported.group(1), _outline(sql, ask), None)
    kind = tree["type"]
    return Statement(kind, tree, cut_select(sql, _format_of(tree)) if kind.startswith("Select") else None)


def _format_of(tree: Mapping[str, Any]) -> str | None:
    name: str | None = tree.get("format_ast", {}).get("name")
    return name


def _outline(sql: str, ask: Ask) -> Mapping[str, Any]:
    """The functions that a statement names, and its INTO OUTFILE, for kinds that the parser does not give as a tree."""
    canonical = ask("SELECT formatQuerySingleLine({sql:String})", {"sql": escaped(sql)})
    words = [token.text.upper() if token.kind == "word" else token.text for token in tokens(canonical.encode())]
    pairs = list(zip(words, words[1:], strict=False))
    names = [first.decode("utf-8", "replace") for first, second in pairs if second == b"("]
    called = [{"type": "Function", "name": name.strip('`"')} for name in names]
    return {"called": called} | ({"out_file": True} if (b"INTO", b"OUTFILE") in pairs else {})


def check(statement: Statement, profile: Profile, table_functions: frozenset[str], database: str) -> None:
    """Refuses, with code 497 and the reason, what the caller must not do here.

    `table_functions` are all that the engine has, in lower case; `database` is the one that bare table names mean.
    """
    kinds = READS if profile.reads_only else READS | _WRITES
    prefixes = _READ_PREFIXES if profile.reads_only else _READ_PREFIXES + _WRITE_PREFIXES
    if statement.kind not in kinds and not statement.kind.startswith(prefixes):
        raise _refused(f"{_readable(statement.kind)} is not open to profile {profile.name} through this endpoint")
    for node in _nodes(statement.tree):
        _check_files(node)
        _check_function(node, profile, table_functions)
        _check_storage(node)
        if profile.reads_only:
            _check_system_table(node, database)


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Every object of the tree, itself first; flat, as a statement may nest deeper than Python's stack."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _check_files(node: Mapping[str, Any]) -> None:
    if "out_file" in node or "infile" in node:
        raise _refused("INTO OUTFILE and FROM INFILE name files of the server: send and take the data over HTTP")
    if node.get("type") == "CreateQuery" and node.get("attach"):
        raise _refused("ATTACH would take in files that are not of this store: create the table and insert into it")
    if node.get("type") == "DropQuery" and node.get("kind") == "Detach":
        raise _refused("DETACH would hide a table from the next start: drop or rename it")


def _check_function(node: Mapping[str, Any], profile: Profile, table_functions: frozenset[str]) -> None:
    if node.get("type") != "Function":
        return
    name = str(node.get("name", ""))
    lower = name.lower()
    allowed = TABLE_FUNCTIONS - _WRITER_FUNCTIONS if profile.reads_only else TABLE_FUNCTIONS
    reaches = lower in _REACHING_FUNCTIONS or _AI_FUNCTION.fullmatch(name)
    if reaches or (lower in table_functions and lower not in allowed and node.get("kind") not in _ENGINE_KINDS):
        raise _refused(f"function {name} reads outside the tables that are granted: insert the data over HTTP instead")


_ENGINE_KINDS = ("TABLE_ENGINE", "DATABASE_ENGINE", "BACKUP_NAME")


def _check_storage(node: Mapping[str, Any]) -> None:
    name = str(node.get("name", ""))
    if node.get("kind") == "TABLE_ENGINE" and name.removeprefix("Shared") not in TABLE_ENGINES:
        raise _refused(
            f"table engine {name} needs another server or other files, choose one of {sorted(TABLE_ENGINES)}"
        )
    if node.get("kind") == "DATABASE_ENGINE" and name not in DATABASE_ENGINES:
        raise _refused(f"database engine {name} needs another server or other files: use Atomic")
    if name.lower() == "disk" and node.get("value", {}).get("field_type") == "CustomType":
        raise _refused("a disk of the table's own lies outside the store: leave the setting out")
    if node.get("type") == "Dictionary":
        _check_source(node.get("source", {}))


def _check_source(source: Mapping[str, Any]) -> None:
    keys = {pair.get("first", "").lower() for pair in _nodes(source) if pair.get("type") == "Pair"}
    if str(source.get("name", "")).lower() not in ("clickhouse", "null") or keys & {"host", "port", "name", "secure"}:
        raise _refused("a dictionary may only read this store: SOURCE(CLICKHOUSE(...)) without a host")


def _check_system_table(node: Mapping[str, Any], database: str) -> None:
    if node.get("type") != "TableIdentifier":
        return
    parts = node.get("name_parts") or [node.get("name", "")]
    if any(child.get("type") == "QueryParameter" for child in _nodes(node.get("children", []))):
        raise _refused("a table must be named in the statement itself, not by a parameter")
    schema = parts[-2] if len(parts) > 1 else database
    if schema.lower() == "system" and parts[-1].lower() not in SYSTEM_TABLES:
        raise _refused(f"system.{parts[-1]} tells of other users' work")


def _readable(kind: str) -> str:
    return re.sub(r"(Query)?_.*$|Query$", "", kind)


def _refused(reason: str) -> QueryError:
    return QueryError.of(Code.ACCESS_DENIED, f"Not enough privileges: {reason}")
