"""Queries that differ in what they compare with alone: one shape, which the engine's parser need see only once.

A string behind a comparison sign is a value wherever it stands. Anywhere else a string may be more: the name of a
table, or a part of a function's meaning, on which it may depend whether the statement is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Hashable

_UNSURE = re.compile(r"""--|/\*|[\\"`#$]|[^\t\n\r\x20-\x7e]""")
"""What could make a quote begin or end elsewhere than it seems: comments, escapes, other quotes, other alphabets."""

_COMPARING = ("=", "<", ">")


def shape(sql: str) -> Hashable:
    """Equal for statements that are the same but for compared strings; a text that is not plain is its own shape."""
    pieces = sql.split("'")
    if len(pieces) % 2 == 0 or _UNSURE.search(sql):
        return sql
    values = [number for number in range(1, len(pieces), 2) if _is_compared(pieces[number - 1], pieces[number + 1 :])]
    for number in values:
        pieces[number] = ""
    return (tuple(pieces), tuple(values))


def _is_compared(before: str, after: list[str]) -> bool:
    """Of a doubled quote, which stands for one inside a string, nothing lies before or behind."""
    doubled = after[0] == "" and len(after) > 1
    return not doubled and before.rstrip().endswith(_COMPARING)
