"""Answers of the merged views, beside what they should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

import pytest

from infra.simulator.truth import Truth
from tests.e2e.stack import Live

ROUNDING = 1e-12
"""Ratios are divisions of the same whole numbers; how the last bit is rounded is not a figure."""

Rows = dict[tuple[Any, ...], dict[str, Any]]


def daily_metrics(live: Live) -> Rows:
    """By tenant and day."""
    return {(row["tenant_id"], row["day"]): row for row in live.ask("SELECT * FROM daily_metrics")}


def daily_revenue(live: Live) -> Rows:
    """By tenant, day and currency."""
    rows = live.ask("SELECT * FROM daily_revenue")
    return {(row["tenant_id"], row["day"], row["currency"]): row for row in rows}


def check_truth(live: Live, truth: Truth) -> None:
    """The views hold exactly the rows that the simulation expects."""
    check_rows(daily_metrics(live), {key: asdict(row) for key, row in truth.daily_metrics().items()})
    check_rows(daily_revenue(live), {key: asdict(row) for key, row in truth.daily_revenue().items()})


def check_rows(found: Rows, expected: Mapping[tuple[Any, ...], Mapping[str, Any]]) -> None:
    """The same keys, and in each row the same figures."""
    assert found.keys() == expected.keys()
    for key, figures in expected.items():
        row = {name: found[key][name] for name in figures}
        # What is divided by nothing is null: just after midnight a day may have too few visits for a rate.
        assert _nulls(row) == _nulls(figures), key
        assert _numbers(row) == pytest.approx(_numbers(figures), rel=ROUNDING), key


def _nulls(row: Mapping[str, Any]) -> set[str]:
    return {name for name, value in row.items() if value is None}


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def layers(live: Live, tenant: str) -> dict[date, str]:
    """Day -> layer of the tenant's metrics."""
    return {day: row["layer"] for (owner, day), row in daily_metrics(live).items() if owner == tenant}
