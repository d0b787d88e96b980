"""States of users, stock, tickets and the world: each record is a row by its position, views find the newest."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from schemas.frames import utc_day
from schemas.topics import EXTERNAL_SIGNALS, INVENTORY_UPDATES, SERVICE_TICKETS, USER_PROFILES
from schemas.verdicts import READERS

TABLES = {
    USER_PROFILES.name: "speed_profiles",
    INVENTORY_UPDATES.name: "speed_inventory",
    SERVICE_TICKETS.name: "speed_tickets",
    EXTERNAL_SIGNALS.name: "speed_signals",
}


def rows(states: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Table -> rows: the records with the UTC day that they speak of."""
    return {
        TABLES[topic]: frame.select(utc_day(READERS[topic].time).alias("day"), *READERS[topic].columns)
        for topic, frame in states.items()
        if topic in TABLES
    }
