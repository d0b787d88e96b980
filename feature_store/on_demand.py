"""Features computed at the request. A null or an empty text is "not known", and gives the default of the catalogue.

Each function takes one row and answers one row; `repo.py` hands them to Feast, for training and for serving alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from feature_store.catalogue import NEVER_DAYS

HOUR_MS = 3_600_000
Row = Mapping[str, Any]


def by_row(compute: Callable[[Row], dict[str, Any]], columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Feast hands over columns and wants columns back."""
    rows = [compute(dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def purchase_context(row: Row) -> dict[str, Any]:
    """How a purchase asked about goes with what the user usually does.

    Takes avg_order_value, preferred_category, device_type, last_purchase of the user, and price_minor, category,
    device, request_time of the request. Hours are not negative, whatever clock the caller has.
    """
    usual, price, last = _known(row["avg_order_value"]), _known(row["price_minor"]), _known(row["last_purchase"])
    since = max(0, int(row["request_time"] or 0) - int(last)) / HOUR_MS if last else NEVER_DAYS * 24.0
    return {
        "price_vs_avg_order": float(price / usual) if usual and price is not None else 1.0,
        "category_match": _same(row["category"], row["preferred_category"]),
        "device_optimization": _same(row["device"], row["device_type"]),
        "hours_since_last_purchase": min(since, NEVER_DAYS * 24.0),
    }


def cold_start(row: Row) -> dict[str, Any]:
    """Whether neither batch (sessions_30d) nor stream (last_seen) knows the user."""
    return {"is_new_user": _known(row["sessions_30d"]) is None and _known(row["last_seen"]) is None}


def _same(one: Any, other: Any) -> int:
    return int(bool(one) and one == other)


def _known(value: Any) -> Any:
    """The number, or None where it is missing, which some tables say as NaN."""
    return None if value is None or math.isnan(value) else value
