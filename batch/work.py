"""What a worker does for a recompute: it reads its share of the log, folds it, and leaves files of results.

All events of a group lie in one partition of the log, and a share has whole groups. So nothing is shuffled: each share
is folded by itself, with the functions of `batch.fold`, and only counts by product are added up afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from batch.files import write_parquet
from batch.fold import Tables, event_tables, fold_events, order_tables
from batch.results import RESULT_TABLES, Results
from batch.scan import Share, Snapshot
from schemas import breakdowns
from schemas.frames import EVENT_COLUMNS, GROUP, ORDER_COLUMNS
from schemas.sessions import REACH_COLUMNS, SessionRules
from schemas.tables.lake import to_arrow

REACH = {"log_partition": pl.Int32(), **REACH_COLUMNS}
REACH_NAMES = ("log_partition", "event_days", "last_offset")
RESULT_ROWS = 200_000
"""Rows of a row group of results, and so of an insert at most."""

SORTED = {
    "batch_events": ("day", *GROUP, "log_offset"),
    "batch_sessions": ("day", *GROUP, "session_start"),
    "batch_products": ("day", "tenant_id", "product_id"),
    "batch_orders": ("day", "tenant_id", "transaction_id", "log_epoch", "log_partition", "log_offset"),
    "batch_breakdowns": breakdowns.KEYS,
}
"""Result table -> the order of its rows, which is that of ClickHouse: the same rows make the same files."""


@dataclass(frozen=True)
class Folded:
    """What a share came to."""

    files: dict[str, str]
    """Table -> name of its file, of tables with rows."""
    reach: pl.DataFrame
    """`REACH` of its sessions that lie on several days."""


@dataclass(frozen=True)
class FoldEvents:
    """The work on a share of `lake.events`."""

    snapshot: Snapshot
    days: tuple[date, ...]
    rules: SessionRules
    results: Results
    run: str

    def __call__(self, share: Share) -> Folded:
        """All groups with an event on the days, with all their events of any day."""
        used, folded = fold_events(self._whole_groups(share), self.rules)
        tables = event_tables(used, folded, self.days)
        files = write_tables(self.results, "events", self.run, _name(self.days, share), tables)
        several = folded.filter(pl.col("event_days").list.len() > 1).select(REACH_NAMES)
        return Folded(files, several)

    def _whole_groups(self, share: Share) -> pl.DataFrame:
        columns = list(EVENT_COLUMNS)
        rows = self.snapshot.read(share, self.days, columns).collect()
        if rows.is_empty():
            return rows
        others = self.snapshot.days() - set(self.days)
        groups = rows.lazy().select(GROUP).unique()
        keys = self.snapshot.read(share, others, [*GROUP, "day"]).join(groups, on=GROUP, how="semi")
        elsewhere = set(keys.select("day").unique().collect()["day"])
        if not elsewhere:
            return rows
        self.snapshot.check(share, elsewhere)
        more = self.snapshot.read(share, elsewhere, columns).join(groups, on=GROUP, how="semi").collect()
        return pl.concat([rows, more])


@dataclass(frozen=True)
class FoldOrders:
    """The work on a share of `lake.transactions`; a fact and its duplicates lie on one day."""

    snapshot: Snapshot
    days: tuple[date, ...]
    results: Results
    run: str

    def __call__(self, share: Share) -> Folded:
        """All order facts of the days."""
        rows = self.snapshot.read(share, self.days, list(ORDER_COLUMNS)).collect()
        tables = order_tables(rows, self.days)
        files = write_tables(self.results, "orders", self.run, _name(self.days, share), tables)
        return Folded(files, pl.DataFrame(schema=REACH).select(REACH_NAMES))


def _name(days: Sequence[date], share: Share) -> str:
    """What no other share of the run has: a run folds a day once."""
    return f"{days[0]}-{share.epoch}-{share.partition}-{share.number}.parquet"


def write_tables(results: Results, dataset: str, run: str, file: str, tables: Tables) -> dict[str, str]:
    """Writes the tables of a share that have rows, each to its own file of the name; answers the names by table."""
    return {
        name: write_table(results, dataset, run, f"{name}/{file}", name, rows)
        for name, rows in tables.items()
        if rows.height
    }


def write_table(results: Results, dataset: str, run: str, file: str, table: str, rows: pl.DataFrame) -> str:
    """Writes rows of a result table in its order; answers the name of the file."""
    declared = RESULT_TABLES[table]
    ordered = rows.select(list(declared.frame_schema)).sort(SORTED[table])
    parts = (to_arrow(part, declared) for part in ordered.iter_slices(RESULT_ROWS))
    write_parquet(results.storage, results.uri(dataset, run, file), declared.arrow_schema, parts)
    return file


def add_up(results: Results, dataset: str, run: str, parts: Collection[str], table: str, keys: Collection[str]) -> str:
    """Adds up the counts that shares left of the same keys, and writes them in place of the parts."""
    named = [results.storage.polars(results.uri(dataset, run, part)) for part in sorted(parts)]
    rows = pl.scan_parquet([name for name, _ in named], storage_options=named[0][1])
    sums = rows.group_by(keys).agg(pl.exclude(keys).sum()).collect(engine="streaming")
    return write_table(results, dataset, run, f"{table}/all.parquet", table, sums)


@dataclass(frozen=True)
class Parts:
    """The files that shares left of a run, by table, and the days that the run is of."""

    results: Results
    dataset: str
    run: str
    files: Mapping[str, Sequence[str]]
    days: tuple[date, ...]

    def rows(self, table: str) -> pl.LazyFrame:
        """The rows of a table of these days."""
        kinds = RESULT_TABLES[table].frame_schema
        named = [
            self.results.storage.polars(self.results.uri(self.dataset, self.run, one)) for one in self.files[table]
        ]
        if not named:
            return pl.LazyFrame(schema=kinds)
        found = pl.scan_parquet([name for name, _ in sorted(named)], storage_options=named[0][1])
        return found.filter(pl.col("day").is_in(self.days)).select(
            pl.col(name).cast(kind) for name, kind in kinds.items()
        )


def break_down(parts: Parts, earlier: pl.LazyFrame) -> list[str]:
    """Writes the breakdowns of a run; `earlier` says who was there in the days before, for events only."""
    if parts.dataset == "events":
        sessions, events = parts.rows("batch_sessions"), parts.rows("batch_events")
        made = [
            breakdowns.break_down(sessions, "sessions"),
            breakdowns.break_down(events, "events"),
            breakdowns.loyalty(sessions, earlier),
        ]
    else:
        orders = parts.rows("batch_orders")
        made = [breakdowns.break_down(orders, "orders"), breakdowns.categories(orders)]
    figures = breakdowns.with_ratios(pl.concat(one.collect(engine="streaming") for one in made))
    name = "batch_breakdowns"
    return [write_table(parts.results, parts.dataset, parts.run, f"{name}/all.parquet", name, figures)]
