"""The speed layer's memory: a cache of stored events, which may be dropped between ticks at any time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import polars as pl

from schemas.frames import GROUP
from streams import orders, popularity, sessions
from streams.progress import Progress

MAX_EVENTS = 2_000_000
MAX_FACTS = 1_000_000
MAX_WINDOWS = 1_000_000


def _empty(columns: dict[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(schema=columns)


@dataclass
class Memory:
    """`events`: used events of the groups in memory; `facts`: order facts; `windows`: product counts; `progress`."""

    events: pl.DataFrame = field(default_factory=lambda: _empty(sessions.STATE_COLUMNS))
    facts: pl.DataFrame = field(default_factory=lambda: _empty(orders.STATE_COLUMNS))
    windows: pl.DataFrame = field(default_factory=lambda: _empty(popularity.WINDOW_COLUMNS))
    progress: dict[tuple[str, int], Progress] = field(default_factory=dict)

    def forget_events(self, partitions: Collection[int]) -> None:
        """Drops groups and windows of these partitions."""
        gone = pl.col("log_partition").is_in(list(partitions))
        self.events, self.windows = self.events.filter(~gone), self.windows.filter(~gone)

    def forget_facts(self, partitions: Collection[int]) -> None:
        """Drops order facts of these partitions."""
        self.facts = self.facts.filter(~pl.col("log_partition").is_in(list(partitions)))

    def evict(self, max_events: int = MAX_EVENTS, max_facts: int = MAX_FACTS, max_windows: int = MAX_WINDOWS) -> None:
        """Drops the oldest whole groups, facts and windows until half of each bound is used, where it is exceeded.

        What is dropped is stored, and comes back from the store when a new record touches it.
        """
        if self.events.height > max_events:
            last = pl.col("append_time").max().over(GROUP)
            self.events = _newest_half(self.events.with_columns(age=last), max_events).drop("age")
        if self.facts.height > max_facts:
            last = pl.col("log_offset").max().over(["tenant_id", "transaction_id", "log_partition"])
            self.facts = _newest_half(self.facts.with_columns(age=last), max_facts).drop("age")
        if self.windows.height > max_windows:
            aged = self.windows.with_columns(age=pl.col("window_start"))
            self.windows = _newest_half(aged, max_windows).drop("age")


def _newest_half(aged: pl.DataFrame, bound: int) -> pl.DataFrame:
    """Rows younger than the age at half of the bound; equal ages stay or go together, so groups stay whole."""
    limit = aged["age"].sort(descending=True)[bound // 2]
    return aged.filter(pl.col("age") > limit)
