"""Whether a caller may run a statement here.

Most of the answer is the engine's: it enforces the grants of the caller's role. What is left for this module is what
grants do not cover in chDB: statements that would change the role, functions that reach files and other servers,
engines that would break the store, and the system tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from infra.clickhouse.access import Profile
from infra.clickhouse.allowed import (
    ANALYST_TABLE_FUNCTIONS,
    DATABASE_ENGINES,
    REACHING_FUNCTIONS,
    READ_PREFIXES,
    READS,
    SYSTEM_TABLES,
    TABLE_ENGINES,
    TABLE_FUNCTIONS,
    WRITE_PREFIXES,
    WRITES,
)
from infra.clickhouse.errors import Code, QueryError
from infra.clickhouse.parse import Node, Statement, nodes

_AI_FUNCTION = re.compile(r"ai[A-Z]\w*")
_IN = re.compile(r"(global)?(not)?(null)?in(ignoreset)?|(global)?null(not)?in(ignoreset)?", re.IGNORECASE)
_ENGINES = ("TABLE_ENGINE", "DATABASE_ENGINE")


@dataclass(frozen=True)
class Reach:
    """What of this engine may reach further than the grants: all its table functions, in lower case, and the settings
    that hold code or names of files and servers."""

    table_functions: frozenset[str]
    settings: frozenset[str]


def check_settings(names: Iterable[str], reach: Reach) -> None:
    """Refuses, with code 497, the settings that reach further than the grants."""
    for name in names:
        if name in reach.settings:
            _refuse(f"setting {name} may hold code, or the name of a file or server")


def check(statement: Statement, profile: Profile, reach: Reach, database: str) -> None:
    """Refuses, with code 497 and the reason, what the caller must not do here.

    `database` is the one that bare table names mean.
    """
    kinds = READS if profile.reads_only else READS | WRITES
    prefixes = READ_PREFIXES if profile.reads_only else READ_PREFIXES + WRITE_PREFIXES
    if statement.kind not in kinds and not statement.kind.startswith(prefixes):
        _refuse(f"{_readable(statement.kind)} is not open to profile {profile.name} through this endpoint")
    open_to = ANALYST_TABLE_FUNCTIONS if profile.reads_only else TABLE_FUNCTIONS
    reaching = (reach.table_functions - open_to) | REACHING_FUNCTIONS
    for node in statement.nodes():
        _check_files(node)
        _check_function(node, reaching)
        _check_storage(node)
        if node.get("type") == "SetQuery":
            check_settings((change["name"] for change in node.get("changes", [])), reach)
        if profile.reads_only:
            _check_tables(node, database)


def _check_files(node: Node) -> None:
    if "out_file" in node or "infile" in node:
        _refuse("INTO OUTFILE and FROM INFILE name files of the server: send and take the data over HTTP")
    if node.get("type") == "CreateQuery" and node.get("attach"):
        _refuse("ATTACH would take in files that are not of this store: create the table and insert into it")
    if node.get("type") == "DropQuery" and node.get("kind") == "Detach":
        _refuse("DETACH would hide a table from the next start: drop or rename it")


def _check_function(node: Node, reaching: frozenset[str]) -> None:
    if node.get("type") != "Function" or node.get("kind") in _ENGINES:
        return
    name = str(node.get("name", ""))
    if name.lower() in reaching or _AI_FUNCTION.fullmatch(name):
        _refuse(f"function {name} reads outside the tables that are granted: insert the data over HTTP instead")


def _check_storage(node: Node) -> None:
    name = str(node.get("name", ""))
    if node.get("kind") == "TABLE_ENGINE" and name not in TABLE_ENGINES:
        _refuse(f"table engine {name} needs another server or other files: choose one of {sorted(TABLE_ENGINES)}")
    if node.get("kind") == "DATABASE_ENGINE" and name not in DATABASE_ENGINES:
        _refuse(f"database engine {name} needs another server or other files: use Atomic")
    if name.lower() == "disk" and node.get("value", {}).get("field_type") == "CustomType":
        _refuse("a disk of the table's own lies outside the store: leave the setting out")
    if node.get("type") == "Dictionary":
        _check_source(node.get("source", {}))


def _check_source(source: Node) -> None:
    keys = {pair.get("first", "").lower() for pair in nodes(source) if pair.get("type") == "Pair"}
    if str(source.get("name", "")).lower() not in ("clickhouse", "null") or keys & {"host", "port", "name", "secure"}:
        _refuse("a dictionary may only read this store: SOURCE(CLICKHOUSE(...)) without a host")


def _check_tables(node: Node, database: str) -> None:
    """Of the system tables, only those that tell nothing about others' work; tables may also stand right of IN."""
    if node.get("type") == "TableIdentifier":
        _check_table(node, database)
    elif node.get("type") == "Function" and _IN.fullmatch(str(node.get("name", ""))):
        for argument in node.get("arguments", {}).get("children", [])[1:]:
            if argument.get("type") == "Identifier":
                _check_table(argument, database)


def _check_table(node: Node, database: str) -> None:
    parts = node.get("name_parts") or [node.get("name", "")]
    if any(child.get("type") == "QueryParameter" for child in nodes(node.get("children", []))):
        _refuse("a table must be named in the statement itself, not by a parameter")
    schema = parts[-2] if len(parts) > 1 else database
    if schema.lower() == "system" and parts[-1].lower() not in SYSTEM_TABLES:
        _refuse(f"system.{parts[-1]} tells of other users' work")


def _readable(kind: str) -> str:
    return re.sub(r"(Query)?_.*$|Query$", "", kind)


def _refuse(reason: str) -> NoReturn:
    raise QueryError.of(Code.ACCESS_DENIED, f"Not enough privileges: {reason}")
