"""What intake makes of the slices of one tick, and the bounds within which the rest of the tick derives its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

USER_EVENTS = "user-events"
TRANSACTIONS = "transactions"


@dataclass(frozen=True)
class Range:
    """The offsets of one partition that a tick applies: `first` to below `end`."""

    topic: str
    epoch: int
    partition: int
    first: int
    end: int
    first_append_time: datetime
    last_append_time: datetime


@dataclass(frozen=True)
class Records:
    """Decoded records of one tick.

    `events` has `EVENT_COLUMNS`, `orders` has `ORDER_COLUMNS`, `dead_letters` has `DEAD_LETTER_COLUMNS`;
    `ranges` names every partition that the tick reads, also where no record of it could be used.
    """

    ranges: tuple[Range, ...]
    events: pl.DataFrame
    orders: pl.DataFrame
    dead_letters: pl.DataFrame
    states: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Any other topic of `READERS` -> its records, in the columns of its reader."""

    def of(self, topic: str) -> pl.DataFrame:
        """The usable records of a topic."""
        return {USER_EVENTS: self.events, TRANSACTIONS: self.orders, **self.states}[topic]

    def starts(self, topic: str) -> Mapping[int, int]:
        """Partition -> the offset at which this tick begins: state may know nothing at or past it."""
        return {r.partition: r.first for r in self.ranges if r.topic == topic}
