"""What the merged views answer, and whether it is the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import polars as pl

from infra.clients.clickhouse import Client
from infra.simulator.truth import Truth

ROUNDING = 1e-12
"""Ratios are divisions of the same whole numbers; how their last bit is rounded is no difference."""

Key = tuple[Any, ...]
KEYS = {"daily_metrics": ("tenant_id", "day"), "daily_revenue": ("tenant_id", "day", "currency")}


@dataclass(frozen=True)
class Row:
    """A row of a view: what was found (None: no such row), and what is true (None: there should be none)."""

    key: Key
    found: Mapping[str, Any] | None
    true: Mapping[str, Any] | None

    @property
    def differing(self) -> list[str]:
        """The figures that are not the truth."""
        if self.found is None or self.true is None:
            return ["the row itself"]
        return [name for name, value in self.true.items() if not _same(self.found[name], value)]


def compare(client: Client, view: str, truth: Truth) -> list[Row]:
    """Every row of the truth's tenants in a view, in the order of its key."""
    expected: dict[Key, dict[str, Any]] = {
        key: asdict(row) for key, row in cast("Mapping[Key, Any]", getattr(truth, view)()).items()
    }
    tenants = sorted({key[0] for key in expected})
    sql = f"SELECT * FROM {view} WHERE tenant_id IN %(tenants)s"
    rows = pl.DataFrame(client.query_arrow(sql, parameters={"tenants": tenants})).to_dicts()
    found = {tuple(row[name] for name in KEYS[view]): row for row in rows}
    return [Row(key, found.get(key), expected.get(key)) for key in sorted({*found, *expected})]


def _same(found: Any, true: Any) -> bool:
    if isinstance(found, float) and isinstance(true, float):
        return math.isclose(found, true, rel_tol=ROUNDING)
    return bool(found == true)
