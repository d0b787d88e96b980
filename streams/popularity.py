"""Product counters of the speed layer: absolute counts per 5-minute window of event time, product and partition."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from schemas.frames import TIMESTAMP, utc_day
from schemas.products import COUNTERS, product_events, window_start
from streams.column import Column, Columns
from streams.index import Index
from streams.keys import group_keys, take, within
from streams.table import Flags, Ints, Keys

WINDOW_KEYS = ("day", "window_start", "tenant_id", "product_id", "log_epoch", "log_partition")
WINDOW_COLUMNS: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "window_start": TIMESTAMP,
    "tenant_id": pl.String(),
    "product_id": pl.String(),
    "log_epoch": pl.Int32(),
    "log_partition": pl.Int32(),
    "as_of": pl.Int64(),
    **{name: pl.Int64() for name in COUNTERS},
}
"""A row of `speed_products`: counts as of the offset of the last event counted."""

_FIGURES = ("as_of", *COUNTERS)
_COUNTED = ("tenant_id", "product_id", "event_type", "event_time", "log_epoch", "log_partition", "log_offset")
_NO_TIME = np.iinfo(np.int64).min


def count_windows(events: pl.DataFrame) -> tuple[pl.DataFrame, Keys]:
    """`WINDOW_COLUMNS` of used events, and the key of each row."""
    counted = product_events(events.select(*_COUNTED)).with_columns(window_start=window_start())
    first, second = within(group_keys(counted, "product_id"), counted, ("window_start",))
    kind = pl.col("event_type")
    rows = (
        counted.with_columns(pl.Series("first", first), pl.Series("second", second), day=utc_day("event_time"))
        .group_by("first", "second", maintain_order=True)
        .agg(
            *[pl.col(key).first() for key in WINDOW_KEYS],
            as_of=pl.col("log_offset").max(),
            **{name: (kind == of).sum().cast(pl.Int64) for name, of in COUNTERS.items()},
        )
    )
    return rows.select(*WINDOW_COLUMNS), (rows["first"].to_numpy(), rows["second"].to_numpy())


@dataclass(frozen=True)
class WindowChange:
    """`rows` (`WINDOW_COLUMNS`) are written; `place` (-1 where new) and `keys` say where the memory puts them."""

    rows: pl.DataFrame
    keys: Keys
    place: Ints


class WindowMemory:
    """Counts of windows. A window that starts after its partition's floor is in memory, or has no counts yet."""

    def __init__(self) -> None:
        self._index = Index()
        self._keys = Column(np.uint64), Column(np.uint64)
        self._figures = Column(np.int64, len(_FIGURES))
        self._start, self._partition = Column(np.int64), Column(np.int64)
        self._columns = Columns(*self._keys, self._figures, self._start, self._partition)
        self._floor: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._start)

    @property
    def bytes(self) -> int:
        """Memory taken."""
        return self._index.bytes + self._columns.bytes

    def unknown(self, partitions: Collection[int]) -> list[int]:
        """The partitions of which nothing was read back yet."""
        return [partition for partition in partitions if partition not in self._floor]

    def restore(self, counts: pl.DataFrame, since: Mapping[int, int]) -> None:
        """Takes in all stored counts (`WINDOW_COLUMNS`) of partitions from a time (ms) on; partition -> that time."""
        self._add_windows(counts, _window_keys(counts))
        self._floor |= {partition: start_ms - 1 for partition, start_ms in since.items()}

    def apply(self, events: pl.DataFrame, fetch: Callable[[pl.DataFrame], pl.DataFrame]) -> WindowChange:
        """Adds used events; `fetch` brings the stored counts (`WINDOW_COLUMNS`) of windows (`WINDOW_KEYS`)."""
        new, keys = count_windows(events)
        place = self._index.find(keys)
        starts, partitions = new["window_start"].dt.timestamp("ms").to_numpy(), new["log_partition"].to_numpy()
        floors = np.array([self._floor.get(number, _NO_TIME) for number in range(int(partitions.max(initial=0)) + 1)])
        missing = new.filter(pl.Series((place < 0) & (starts <= floors[partitions]))).select(WINDOW_KEYS)
        figures = new.select(_FIGURES).to_numpy().copy()
        _add(figures, np.flatnonzero(place >= 0), self._figures.values[place[place >= 0]])
        if missing.height:
            stored = fetch(missing)
            known = Index()
            known.add(keys, np.arange(new.height))
            _add(figures, known.find(_window_keys(stored)), stored.select(_FIGURES).to_numpy())
        columns = [pl.Series(name, figures[:, number], pl.Int64) for number, name in enumerate(_FIGURES)]
        return WindowChange(new.with_columns(columns), keys, place)

    def take_in(self, change: WindowChange) -> None:
        """Remembers what a written tick counted."""
        old, new = np.flatnonzero(change.place >= 0), np.flatnonzero(change.place < 0)
        self._figures.values[change.place[old]] = change.rows.select(_FIGURES).to_numpy()[old]
        self._add_windows(change.rows[pl.Series(new)], take(change.keys, new))

    def forget(self, partitions: Collection[int]) -> None:
        """Drops the windows of these partitions."""
        for partition in partitions:
            self._floor.pop(partition, None)
        self._keep(~np.isin(self._partition.values, list(partitions)))

    def keep_newest(self, windows: int) -> None:
        """Drops the oldest windows until at most so many are left."""
        if windows < len(self):
            self.raise_floor(int(np.sort(self._start.values)[-windows - 1]))

    def raise_floor(self, start_ms: int) -> None:
        """Drops the windows that start at or before a time."""
        self._floor = {partition: max(floor, start_ms) for partition, floor in self._floor.items()}
        self._keep(self._start.values > start_ms)

    def _add_windows(self, rows: pl.DataFrame, keys: Keys) -> None:
        self._index.add(keys, np.arange(len(self), len(self) + rows.height))
        figures, starts = rows.select(_FIGURES).to_numpy(), rows["window_start"].dt.timestamp("ms").to_numpy()
        self._columns.append(*keys, figures, starts, rows["log_partition"].to_numpy())

    def _keep(self, kept: Flags) -> None:
        self._columns.keep(kept)
        self._index = Index()
        self._index.add((self._keys[0].values, self._keys[1].values), np.arange(len(self)))


def _window_keys(rows: pl.DataFrame) -> Keys:
    return within(group_keys(rows, "product_id"), rows, ("window_start",))


def _add(figures: Ints, rows: Ints, known: Ints) -> None:
    """Counts add up; `as_of` is the greater."""
    figures[rows, 1:] += known[:, 1:]
    figures[rows, 0] = np.maximum(figures[rows, 0], known[:, 0])
