"""The quality rules as expectations of Great Expectations, so that both layers are held to the same data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from batch.engine import Derived, Extreme, Milliseconds
from schemas.checks import WHITE_SPACE, Between, InSet, MaxLength, NotAfter, NotBlank, Rule, Severity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Expectation:
    """One expectation as data: the name of its class, what it is asked, and what it means to us."""

    name: str
    kind: str
    arguments: Mapping[str, Any]
    severity: Severity
    meaning: str


def compiled(rule: Rule) -> Iterator[Expectation]:
    """The expectations that hold where the rule holds. Nulls break neither."""
    for column, kind, arguments in _arguments(rule):
        name = f"{column}_{rule.kind}" if column != rule.column else rule.name
        yield Expectation(name, kind, {"column": column, **arguments}, rule.severity, rule.meaning)


def not_null(columns: Iterable[str]) -> Iterator[Expectation]:
    """The columns always have a value."""
    for column in columns:
        arguments = {"column": column}
        yield Expectation(f"{column}_not_null", _NOT_NULL, arguments, Severity.FAIL, f"{column} is never null")


def derived(rules: Iterable[Rule]) -> Iterator[Derived]:
    """The columns that some expectations speak of: differences of times, extremes of lists."""
    for rule in rules:
        column, _, field = rule.column.partition(".")
        if isinstance(rule.check, NotAfter):
            yield Milliseconds(_difference(column, rule.check), column, rule.check.other)
        elif field:
            yield from (Extreme(name, column, field, least) for name, least in _extremes(rule.column).items())


_NOT_NULL = "ExpectColumnValuesToNotBeNull"
_BETWEEN = "ExpectColumnValuesToBeBetween"


def _arguments(rule: Rule) -> Iterator[tuple[str, str, dict[str, Any]]]:
    column = rule.column
    match rule.check:
        case NotBlank():
            yield column, "ExpectColumnValuesToMatchRegex", {"regex": f"[^{WHITE_SPACE}]"}
        case MaxLength(characters):
            yield column, "ExpectColumnValueLengthsToBeBetween", {"max_value": characters}
        case InSet(values):
            yield column, "ExpectColumnValuesToBeInSet", {"value_set": list(values)}
        case NotAfter(_, tolerance_ms) as check:
            yield _difference(column, check), _BETWEEN, {"max_value": tolerance_ms}
        case Between(low, high) if "." in column:
            bounds = {"min_value": low, "max_value": high}
            yield from ((extreme, _BETWEEN, bounds) for extreme in _extremes(column))
        case Between(low, high):
            as_bound = _time if column.endswith("_time") else int
            bounds = {"min_value": low, "max_value": high}
            yield column, _BETWEEN, {name: as_bound(bound) for name, bound in bounds.items() if bound is not None}


def _difference(column: str, check: NotAfter) -> str:
    return f"{column}_after_{check.other}_ms"


def _extremes(column: str) -> dict[str, bool]:
    """Name of the column -> whether it is the least value."""
    return {f"{column.replace('.', '_')}_least": True, f"{column.replace('.', '_')}_greatest": False}


def _time(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)
