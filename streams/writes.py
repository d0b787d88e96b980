"""The rows of one tick, in the order in which they are written.

Where partitions begin is said before all else, since views tell by it what is missing. Facts are first of the rest,
since what memory lacks is read back from them, and progress last, since it says that the rest is there.
Rows of sessions and derived ones have no order, neither among each other nor, for those of sessions, with the facts:
each is the fold of the log up to its `as_of`, whatever is stored of that log yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

PROGRESS = "speed_progress"
BEGINNINGS = "speed_beginnings"
FACTS = ("events_speed", "events_cold", "orders_speed", "orders_cold")
SESSIONS = "speed_sessions"
DERIVED = (
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
)


@dataclass(frozen=True)
class Write:
    """Rows of one table."""

    table: str
    rows: pl.DataFrame


Writes = Sequence[Write]


class Outputs(Protocol):
    """Where rows go besides the store, before the progress is written."""

    def send(self, write: Write) -> None:
        """Hands the rows of a write on."""
        ...

    def confirm(self) -> None:
        """Returns when everything handed on is safe; raises when it is not, so that the tick is tried again."""
        ...


def of_step(tables: Sequence[str], rows: Mapping[str, pl.DataFrame]) -> Writes:
    """The writes of these tables that have rows."""
    return [Write(table, rows[table]) for table in tables if table in rows and rows[table].height]
