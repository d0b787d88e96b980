"""How far a feature's values have moved, and whether a load may go online. Pure.

Population stability index: Lewis, An Introduction to Credit Scoring (1992); over ten equal shares of the older values,
the sum of (new - old) ln(new / old) of the shares in each. Under 0.1 is steady, over 0.25 a shift.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

BINS = 10
LEAST_ROWS = 200
"""Fewer rows than this on a side say nothing about a distribution."""
_LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class Limits:
    """What a load may do: greatest PSI against a week before, and greatest growth of the share of nulls."""

    psi: float = 0.5
    null_growth: float = 0.2


@dataclass(frozen=True)
class Finding:
    """What was found of one feature; `reason` is empty if it passed."""

    view: str
    feature: str
    rows: int
    null_share: float
    null_share_before: float | None
    psi: float | None
    reason: str

    @property
    def passed(self) -> bool:
        """Whether the feature may go online."""
        return not self.reason


def judge(view: str, now: pl.DataFrame, before: pl.DataFrame, limits: Limits) -> list[Finding]:
    """A finding per column: the rows of a load beside those of a week before, which may be none."""
    return [_finding(view, now.get_column(name), before.get_column(name), limits) for name in now.columns]


def _finding(view: str, now: pl.Series, before: pl.Series, limits: Limits) -> Finding:
    nulls, nulls_before = _null_share(now), _null_share(before) if len(before) else None
    index = None if now.dtype == pl.List or min(len(now), len(before)) < LEAST_ROWS else psi(now, before)
    found = Finding(view, now.name, len(now), nulls, nulls_before, index, "")
    reason = _reason(found, len(before), limits)
    return Finding(view, now.name, len(now), nulls, nulls_before, index, reason)


def _reason(found: Finding, before: int, limits: Limits) -> str:
    if not found.rows and before:
        return f"no rows, {before} a week before"
    grown = found.null_share - (found.null_share_before or 0.0)
    if found.null_share_before is not None and grown > limits.null_growth:
        return f"nulls grew by {grown:.2f}, more than {limits.null_growth}"
    if found.psi is not None and found.psi > limits.psi:
        return f"psi {found.psi:.2f} is over {limits.psi}"
    return ""


def _null_share(values: pl.Series) -> float:
    return values.null_count() / len(values) if len(values) else 0.0


def psi(now: pl.Series, before: pl.Series) -> float:
    """The index of the values that are not null; of texts over each value."""
    new, old = now.drop_nulls(), before.drop_nulls()
    if not len(new) or not len(old):
        return 0.0
    shares_new, shares_old = (_by_text(new), _by_text(old)) if new.dtype == pl.String else _by_size(new, old)
    places = sorted(shares_new.keys() | shares_old.keys(), key=str)
    pairs = [(max(shares_new.get(p, 0.0), _LEAST_SHARE), max(shares_old.get(p, 0.0), _LEAST_SHARE)) for p in places]
    return sum((a - b) * math.log(a / b) for a, b in pairs)


def _by_text(values: pl.Series) -> dict[object, float]:
    counts = values.value_counts(name="n")
    return {value: n / len(values) for value, n in counts.iter_rows()}


def _by_size(new: pl.Series, old: pl.Series) -> tuple[Mapping[object, float], Mapping[object, float]]:
    numbers = old.cast(pl.Float64)
    edges = sorted({float(numbers.quantile(step / BINS) or 0.0) for step in range(1, BINS)})
    return _shares(new.cast(pl.Float64), edges), _shares(numbers, edges)


def _shares(values: pl.Series, edges: Sequence[float]) -> dict[object, float]:
    return _by_text(pl.Series(edges, dtype=pl.Float64).search_sorted(values, side="left"))
