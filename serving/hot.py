"""Views of what the speed layer knows beside facts: alerts, popularity, open sessions, states and their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path

from schemas.products import COUNTERS, HALF_LIFE, WEIGHTS, WINDOW
from schemas.sessions import SessionRules

_FOLDER = Path(__file__).parent / "views"

VIEWS = (
    "alerts",
    "product_popularity",
    "trending_products",
    "active_sessions",
    "user_orders",
    "inventory",
    "inventory_history",
    "tickets",
    "ticket_history",
    "profiles",
    "profile_history",
    "signals",
    "current_signals",
)
"""All of them for analysts, in an order in which they can be created after the merged views."""

_RAISE = "toUInt8(message)"


def statements(publication_parts: Mapping[str, str], rules: SessionRules | None = None) -> list[tuple[str, str]]:
    """(name, CREATE OR REPLACE VIEW ...); `rules` are those by which sessions end.

    `publication_parts` are how the merged views know what is published, and what is missing.
    """
    filling = {**publication_parts, **_filling(rules or SessionRules())}
    return [(name, _create(name, filling)) for name in VIEWS]


def _create(name: str, filling: dict[str, str]) -> str:
    text = (_FOLDER / f"{name}.sql").read_text()
    for key, value in filling.items():
        text = text.replace("{" + key + "}", value)
    return f"CREATE OR REPLACE VIEW {name} AS\n{text}"


def _filling(rules: SessionRules) -> dict[str, str]:
    return {
        "gap_ms": str(rules.gap // timedelta(milliseconds=1)),
        "counters": _list(COUNTERS),
        "counter_sums": _list(f"sum(part.{name}) AS {name}" for name in COUNTERS),
        "counter_facts": _list(f"toUInt64(event_type = '{kind}') AS {name}" for name, kind in COUNTERS.items()),
        "counter_zeros": _list(f"toUInt64(0) AS {name}" for name in COUNTERS),
        "counter_raises": _list(f"toUInt64({_RAISE}) AS {name}" for name in COUNTERS),
        "counted_types": _list(f"'{kind}'" for kind in COUNTERS.values()),
        "no_revenue": "CAST(map(), 'Map(String, Int64)')",
        "raise": _RAISE,
        "weighted": " + ".join(f"{weight} * popular.{name}" for name, weight in WEIGHTS.items()),
        "recent_sums": _list(f"sum(popular.{name}) AS {name}" for name in (*COUNTERS, "units")),
        "window_seconds": str(WINDOW // timedelta(seconds=1)),
        "half_life_seconds": str(HALF_LIFE // timedelta(seconds=1)),
    }


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)
