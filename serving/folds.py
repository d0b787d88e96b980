"""A metric of the catalogue as an aggregate of ClickHouse over rows of its source."""

from __future__ import annotations

from schemas.metrics import Metric


def fold(metric: Metric) -> str:
    """The SQL of a count, sum or distinct count."""
    if metric.kind == "count":
        return f"countIf({metric.where})"
    if metric.kind == "sum":
        return f"sumIf(toInt64({metric.value}), {metric.where})"
    return f"uniqExactIf({metric.value}, {metric.where})"
