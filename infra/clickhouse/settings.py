"""Settings of a request: which URL keys are the transport's, how the others are set, and how they are taken back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from infra.clickhouse.errors import Code, QueryError

TRANSPORT = frozenset(
    {
        "add_http_cors_header",
        "buffer_size",
        "client_protocol_version",
        "close_session",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "http_zlib_compression_level",
        "log_comment",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "stacktrace",
        "user",
        "wait_end_of_query",
    }
)
"""Keys of a URL that speak to the HTTP interface; ``log_comment`` has no log to go to, and marks queries here."""

_PARAM = "param_"
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


class Runner(Protocol):
    """A session that answers queries."""

    def value(self, sql: str) -> str:
        """Runs a query that returns one value."""
        ...


def engine_settings(url: Mapping[str, str]) -> dict[str, str]:
    """The engine's settings among a URL's keys; the engine refuses those that it does not know."""
    return {key: value for key, value in url.items() if key not in TRANSPORT and not key.startswith(_PARAM)}


def parameters(url: Mapping[str, str]) -> dict[str, str]:
    """The values of a query's ``{name:Type}`` placeholders, given as ``param_name``."""
    return {key.removeprefix(_PARAM): value for key, value in url.items() if key.startswith(_PARAM)}


def set_statement(settings: Mapping[str, str]) -> str:
    """SET for these settings; refuses a name that is not one."""
    for name in settings:
        if not _NAME.fullmatch(name):
            raise QueryError.of(Code.BAD_ARGUMENTS, f"{name!r} is not the name of a setting")
    return "SET " + ", ".join(f"{name} = {quote(value)}" for name, value in settings.items())


def quote(text: str) -> str:
    """A string literal of SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def identifier(name: str) -> str:
    """A quoted name of SQL."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def escaped(text: str) -> str:
    """A parameter's value as ClickHouse wants it: escaped as in a tab-separated line."""
    return text.translate(_ESCAPES)


def restore_statement(link: Runner, names: Iterable[str]) -> str:
    """The SET that brings these settings back to what they are now."""
    listed = ", ".join(quote(name) for name in names)
    found = link.value(
        f"SELECT toJSONString(groupArray((name, value, toBool(changed)))) FROM system.settings WHERE name IN ({listed})"
    )
    past = [(name, quote(value) if changed else "DEFAULT") for name, value, changed in json.loads(found)]
    return "SET " + ", ".join(f"{name} = {value}" for name, value in past) if past else ""
