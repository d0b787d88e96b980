"""Features computed at the request, also where nothing is known."""

from __future__ import annotations

from typing import Any

import pytest

from feature_store.catalogue import COLD_START, PURCHASE_CONTEXT
from feature_store.on_demand import cold_start, purchase_context

HOUR = 3_600_000
REGULAR: dict[str, Any] = {
    "avg_order_value": 4_000.0,
    "preferred_category": "shoes",
    "device_type": "mobile",
    "last_purchase": 10 * HOUR,
}
REQUEST: dict[str, Any] = {"price_minor": 6_000.0, "category": "shoes", "device": "desktop", "request_time": 34 * HOUR}
UNKNOWN: dict[str, Any] = dict.fromkeys(REGULAR)


def test_a_purchase_beside_what_the_user_usually_does() -> None:
    assert purchase_context(REGULAR | REQUEST) == {
        "price_vs_avg_order": 1.5,
        "category_match": 1,
        "device_optimization": 0,
        "hours_since_last_purchase": 24.0,
    }


def test_a_new_user_has_the_defaults_of_the_catalogue() -> None:
    assert purchase_context(UNKNOWN | REQUEST) == {f.name: f.default for f in PURCHASE_CONTEXT.features}


def test_missing_numbers_of_tables_are_missing() -> None:
    row = UNKNOWN | REQUEST | {"avg_order_value": float("nan"), "last_purchase": float("nan")}
    assert purchase_context(row) == purchase_context(UNKNOWN | REQUEST)


@pytest.mark.parametrize(
    ("change", "feature", "value"),
    [
        ({"avg_order_value": 0.0}, "price_vs_avg_order", 1.0),
        ({"price_minor": None}, "price_vs_avg_order", 1.0),
        ({"category": "", "preferred_category": ""}, "category_match", 0),
        ({"device": "mobile"}, "device_optimization", 1),
        ({"request_time": 0}, "hours_since_last_purchase", 0.0),
        ({"request_time": 10_000 * HOUR}, "hours_since_last_purchase", 2160.0),
    ],
)
def test_edges(change: dict[str, Any], feature: str, value: float) -> None:
    assert purchase_context(REGULAR | REQUEST | change)[feature] == value


def test_a_user_is_new_until_a_layer_knows_them() -> None:
    assert cold_start({"sessions_30d": None, "last_seen": None}) == {f.name: f.default for f in COLD_START.features}
    assert cold_start({"sessions_30d": 0, "last_seen": None}) == {"is_new_user": False}
    assert cold_start({"sessions_30d": None, "last_seen": 1}) == {"is_new_user": False}
