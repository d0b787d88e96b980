"""Served values against the history of the same moment: what it means that they agree. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Sample:
    """What was served of one entity, and each answer that the history allows: one, or two where a value was being put
    online during the read. None is no value of the view at all."""

    view: str
    entity: tuple[str, ...]
    served: Values | None
    allowed: tuple[Values | None, ...]

    @property
    def expected(self) -> Values | None:
        """The allowed answer that was given; where none was, the first."""
        return next((one for one in self.allowed if _same_values(self.served, one)), self.allowed[0])


@dataclass(frozen=True)
class Verdict:
    """One feature over all samples of its view."""

    view: str
    feature: str
    compared: int
    mismatched: int
    missing: int
    extra: int
    smape: float | None

    @property
    def passed(self) -> bool:
        """Nothing differs."""
        return not (self.mismatched or self.missing or self.extra)


def verdict(view: str, feature: str, samples: Iterable[Sample]) -> Verdict:
    """Compare one feature over the samples of its view."""
    pairs = [(_get(sample.served, feature), _get(sample.expected, feature)) for sample in samples]
    both = [(one, other) for one, other in pairs if one is not None and other is not None]
    return Verdict(
        view,
        feature,
        len(pairs),
        sum(not same(one, other) for one, other in both),
        sum(one is None and other is not None for one, other in pairs),
        sum(one is not None and other is None for one, other in pairs),
        _smape([(one, other) for one, other in both if _is_number(one) and _is_number(other)]),
    )


def same(one: Any, other: Any) -> bool:
    """Equal, floats to the last few bits that another sum's order may change."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def as_json(value: Any) -> str:
    """A value as the log of served values keeps it."""
    return json.dumps(value)


def _same_values(one: Values | None, other: Values | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)


def _get(values: Values | None, feature: str) -> Any:
    return None if values is None else values[feature]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _smape(pairs: list[tuple[Any, Any]]) -> float | None:
    """2 |a - b| / (|a| + |b|), meant over the pairs; two zeros differ by nothing. None without a number."""
    if not pairs:
        return None
    errors = [2 * abs(a - b) / (abs(a) + abs(b)) if a or b else 0.0 for a, b in pairs]
    return math.fsum(errors) / len(errors)
