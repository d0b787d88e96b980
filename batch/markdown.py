"""Tables for people, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a table of rows that have the same columns."""
    if not rows:
        yield "no rows"
        return
    names = list(rows[0])
    yield "| " + " | ".join(names) + " |"
    yield "|" + " --- |" * len(names)
    yield from ("| " + " | ".join(_figure(row[name]) for name in names) + " |" for row in rows)


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
