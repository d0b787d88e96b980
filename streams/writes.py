"""The rows of one tick, in the order in which they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

PROGRESS = "speed_progress"
WRITE_ORDER = (
    ("events_speed", "events_cold", "orders_speed", "orders_cold"),
    (
        "speed_sessions",
        "speed_products",
        "speed_duplicates",
        "speed_dead_letters",
        "speed_reach",
        "speed_sightings",
        "speed_alerts",
        "speed_profiles",
        "speed_inventory",
        "speed_tickets",
        "speed_signals",
    ),
    (PROGRESS,),
)
"""Facts first, since all other rows are derived from them; progress last, since it says that the rest is there.
Between tables of one step there is no order: none of them says anything about another."""


@dataclass(frozen=True)
class Write:
    """Rows of one table."""

    table: str
    rows: pl.DataFrame


def says_the_rest_is_there(writes: Sequence[Write]) -> bool:
    """Whether these are the progress, before which all else must be written."""
    return any(write.table == PROGRESS for write in writes)


def in_order(rows: Mapping[str, pl.DataFrame]) -> Iterator[tuple[Write, ...]]:
    """Step for step of `WRITE_ORDER`, the writes that have rows."""
    for tables in WRITE_ORDER:
        writes = tuple(Write(table, rows[table]) for table in tables if table in rows and rows[table].height)
        if writes:
            yield writes
