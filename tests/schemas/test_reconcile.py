"""The comparison of two layers against plain Python, in one piece and in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import reconcile
from schemas.metrics import METRICS
from schemas.reconcile import RESULT_COLUMNS, WORST

rows = st.lists(
    st.fixed_dictionaries(
        {
            "tenant_id": st.sampled_from(["t", "u"]),
            "transaction_id": st.sampled_from(["a", "b", "c", "d"]),
            "user_id": st.sampled_from(["x", "y"]),
            "status": st.sampled_from(["completed", "refunded", "pending"]),
            "currency": st.sampled_from(["EUR", "GBP"]),
            "amount_minor": st.integers(-100, 100),
        }
    ),
    max_size=8,
)
ORDERS = [metric for metric in METRICS if metric.source == "orders" and metric.kind != "distinct"]
SIGN = {"completed": 1, "refunded": -1}
VALUES: dict[str, Callable[[dict[str, Any]], int]] = {
    "orders": lambda row: row["status"] == "completed",
    "refunds": lambda row: row["status"] == "refunded",
    "gross_revenue_minor": lambda row: row["amount_minor"] * (row["status"] == "completed"),
    "net_revenue_minor": lambda row: row["amount_minor"] * SIGN.get(row["status"], 0),
}


def frame(own: list[dict[str, Any]]) -> pl.DataFrame:
    text = ("tenant_id", "transaction_id", "user_id", "status", "currency")
    return pl.DataFrame(own, schema={**dict.fromkeys(text, pl.String()), "amount_minor": pl.Int64()})


def folded(own: list[dict[str, Any]]) -> pl.DataFrame:
    return reconcile.per_group(frame(own), ("tenant_id", "transaction_id"), [m for m in ORDERS if m.name in VALUES])


def expected(speed: list[dict[str, Any]], batch: list[dict[str, Any]], metric: str) -> dict[str, Any]:
    sides: list[dict[tuple[str, str, str], int]] = [{}, {}]
    for side, own in zip(sides, (speed, batch), strict=True):
        for row in own:
            key = (row["tenant_id"], row["currency"], row["transaction_id"])
            side[key] = side.get(key, 0) + VALUES[metric](row)
    s, b = sides
    both = s.keys() | b.keys()
    terms = [
        2 * abs(s.get(key, 0) - b.get(key, 0)) / (abs(s.get(key, 0)) + abs(b.get(key, 0)))
        for key in both
        if abs(s.get(key, 0)) + abs(b.get(key, 0))
    ]
    return {
        "groups": len(both),
        "equal": sum(key in s and key in b and s[key] == b[key] for key in both),
        "missing": len(b.keys() - s.keys()),
        "extra": len(s.keys() - b.keys()),
        "speed_total": sum(s.values()),
        "batch_total": sum(b.values()),
        "smape": pytest.approx(sum(terms) / len(both) if both else 0.0),
    }


@given(rows, rows)
def test_a_comparison_says_what_plain_python_says(speed: list[dict[str, Any]], batch: list[dict[str, Any]]) -> None:
    found = reconcile.compare(folded(speed), folded(batch))
    for metric in VALUES:
        own = found.filter(pl.col("metric") == metric)
        wanted = expected(speed, batch, metric)
        sums = {name: own[name].sum() for name in wanted if name != "smape"}
        weighted = (own["smape"] * own["groups"]).sum()
        assert sums | {"smape": weighted / wanted["groups"] if wanted["groups"] else 0.0} == wanted


@given(rows, rows)
def test_a_comparison_in_parts_is_the_comparison(speed: list[dict[str, Any]], batch: list[dict[str, Any]]) -> None:
    whole = reconcile.compare(folded(speed), folded(batch))
    parts = [
        reconcile.compare(
            *[folded([row for row in side if (row["transaction_id"] < "c") == low]) for side in (speed, batch)]
        )
        for low in (True, False)
    ]
    keys = ["tenant_id", "currency", "metric"]
    together = reconcile.added(parts)
    assert list(together.columns) == list(RESULT_COLUMNS)
    for mine, other in zip(together.sort(keys).to_dicts(), whole.sort(keys).to_dicts(), strict=True):
        assert mine["smape"] == pytest.approx(other["smape"])
        assert len(mine["worst"]) == min(WORST, other["groups"] - other["equal"])
        assert {**mine, "smape": 0, "worst": 0} == {**other, "smape": 0, "worst": 0}


def test_equal_layers_differ_nowhere() -> None:
    own = [
        {
            "tenant_id": "t",
            "transaction_id": "a",
            "user_id": "x",
            "status": "completed",
            "currency": "EUR",
            "amount_minor": 5,
        }
    ]
    found = reconcile.compare(folded(own), folded(own))
    assert found.select(pl.col("differing", "missing", "extra").sum()).row(0) == (0, 0, 0)
    assert (found["smape"].max(), found["worst"].explode(empty_as_null=False).len()) == (0.0, 0)
