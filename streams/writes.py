"""The rows of one tick, in the order in which they are written."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

PROGRESS = "speed_progress"
WRITE_ORDER = (
    "events_speed",
    "events_cold",
    "speed_sessions",
    "speed_products",
    "orders_speed",
    "orders_cold",
    "speed_duplicates",
    "speed_dead_letters",
    "speed_reach",
    "speed_sightings",
    "speed_alerts",
    "speed_profiles",
    "speed_inventory",
    "speed_tickets",
    "speed_signals",
    PROGRESS,
)
"""Events first, since all other rows are derived from them; progress last, since it says that the rest is there."""


@dataclass(frozen=True)
class Write:
    """Rows of one table."""

    table: str
    rows: pl.DataFrame


def ordered(rows: dict[str, pl.DataFrame]) -> tuple[Write, ...]:
    """The writes that have rows, in `WRITE_ORDER`."""
    return tuple(Write(table, rows[table]) for table in WRITE_ORDER if table in rows and rows[table].height)
