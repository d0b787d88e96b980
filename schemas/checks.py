"""The kinds of quality rule, and how a rule becomes a mask of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, reduce

import polars as pl

from schemas.reasons import Reason

WHITE_SPACE = " \t\n\r\x0b\x0c"
"""What may stand in a blank text: the characters that every engine takes for white space."""


class Severity(StrEnum):
    """`fail` refuses the record; `warn` counts it and keeps it."""

    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class NotBlank:
    """The text holds a character other than `WHITE_SPACE`."""


@dataclass(frozen=True, slots=True)
class MaxLength:
    """The text has at most `characters` characters."""

    characters: int


@dataclass(frozen=True, slots=True)
class Between:
    """The number, or the milliseconds since 1970 of a time, lies within both bounds, which belong to it.

    None: no bound.
    """

    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class InSet:
    """The text is one of `values`."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotAfter:
    """The time is at most `tolerance_ms` later than the time in column `other`."""

    other: str
    tolerance_ms: int


Check = NotBlank | MaxLength | Between | InSet | NotAfter


_KINDS: dict[type[Check], str] = {
    NotBlank: "not_blank",
    MaxLength: "max_length",
    Between: "between",
    InSet: "in_set",
    NotAfter: "not_after",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that must hold for `column` of the frame of `subject`; `list.field` means every item of a list."""

    subject: str
    column: str
    check: Check
    reason: Reason
    meaning: str
    severity: Severity = Severity.FAIL

    @property
    def kind(self) -> str:
        """The kind of check: not_blank, max_length, between, in_set or not_after."""
        return _KINDS[type(self.check)]

    @property
    def name(self) -> str:
        """What the rule is called in reports: unique within its subject."""
        return f"{self.column.replace('.', '_')}_{self.kind}"


def apply(rules: Sequence[Rule], frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part a decoded frame, with its position columns, into the good rows and the refused ones.

    The refused rows keep their columns and gain `rule`, `reason` and `message` (strings) of the first rule that they
    break. Rules of severity warn refuse nothing.
    """
    failing = [rule for rule in rules if rule.severity is Severity.FAIL]
    masks = frame.select(holds(rule).alias(str(place)) for place, rule in enumerate(failing))
    good = masks.select(pl.all_horizontal(pl.lit(True), pl.all())).to_series()
    if good.all():
        return frame, frame.clear().with_columns(_named([]))
    broken = _verdict(failing, masks.filter(~good))
    return frame.filter(good), frame.filter(~good).with_columns(_named(broken))


def count_warnings(rules: Sequence[Rule], frame: pl.DataFrame) -> dict[str, int]:
    """How many rows of the frame break each rule of severity warn, by the rule's name."""
    warning = [rule for rule in rules if rule.severity is Severity.WARN]
    return {rule.name: frame.select((~holds(rule)).sum()).item() for rule in warning}


@cache
def holds(rule: Rule) -> pl.Expr:
    """The mask of the rows that keep the rule; true where there is nothing to judge, never null."""
    column, _, field = rule.column.partition(".")
    if not field:
        return _holds(pl.col(column), rule.check).fill_null(True)
    items = pl.col(column).list.eval(_holds(pl.element().struct.field(field), rule.check))
    return items.list.all().fill_null(True)


def _holds(value: pl.Expr, check: Check) -> pl.Expr:
    match check:
        case NotBlank():
            return value.str.strip_chars_start(WHITE_SPACE).str.len_bytes() > 0
        case MaxLength(characters):
            return value.str.len_chars() <= characters
        case Between(low, high):
            number = value.to_physical()
            bounds = [number >= low] if low is not None else []
            bounds += [number <= high] if high is not None else []
            return reduce(pl.Expr.and_, bounds, pl.lit(True))
        case InSet(values):
            return value.is_in(values)
        case NotAfter(other, tolerance_ms):
            # Numbers, not durations: a difference of two times may not fit into 64 bits, the sum with an hour does.
            return value.to_physical() <= pl.col(other).to_physical() + tolerance_ms


def _verdict(rules: Sequence[Rule], masks: pl.DataFrame) -> list[Rule]:
    """The first rule that each row breaks."""
    first = (pl.when(~pl.col(name)).then(pl.lit(int(name), pl.UInt32)) for name in masks.columns)
    places = masks.select(pl.coalesce(pl.lit(None, pl.UInt32), *first)).to_series()
    return [rules[place] for place in places.to_list()]


def _named(broken: Sequence[Rule]) -> list[pl.Series]:
    return [
        pl.Series("rule", [rule.name for rule in broken], pl.String),
        pl.Series("reason", [rule.reason.value for rule in broken], pl.String),
        pl.Series("message", [rule.meaning for rule in broken], pl.String),
    ]
