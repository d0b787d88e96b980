"""Recomputing days from one pinned snapshot of the lake, by the same functions that the speed layer runs on slices.

The log has put all records of a group into one partition, so each partition is folded by itself, in parallel and
without a shuffle (`batch.work`). The work grows with the days asked for; of all other days only the keys of the groups
are read, and whole days only where one of these groups has records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import uuid4

import polars as pl

from batch.days import connected
from batch.files import LakeFile, of_days
from batch.publication import NotYetPublishable, Publication, landed_until
from batch.results import Manifest, Results
from batch.scan import Share, Snapshot, shares
from batch.snapshot import Pinned
from batch.work import REACH, REACH_NAMES, Folded, FoldEvents, FoldOrders, Parts, add_up, break_down
from batch.workers import Workers, check_files
from schemas.breakdowns import LOOKBACK_DAYS
from schemas.frames import GROUP, ORDER_GROUP
from schemas.sessions import SessionRules

ROWS_PER_SHARE = 500_000
"""What one worker holds at a time; some 600 MB."""


@dataclass(frozen=True)
class Recompute:
    """What every recompute needs."""

    workers: Workers
    results: Results
    pinned: Pinned
    files: tuple[LakeFile, ...]
    """The data files of the snapshot."""
    published: Mapping[date, Publication]
    """The publications of now: they tell which days must move together."""
    rules: SessionRules

    def events(self, days: Collection[date]) -> Manifest:
        """Recomputes the dataset `events` for the days and all that must move with them.

        Raises `NotYetPublishable` if the snapshot was landed too early for one of the days, `FileDamaged`.
        """
        run, taken, folded, reach = self._new_run(), frozenset[date](), list[Folded](), _no_reach()
        while more := self._together(days, reach) - taken:
            self._check(more)
            work = FoldEvents(self._snapshot(GROUP), tuple(sorted(more)), self.rules, self.results, run)
            taken |= more
            added = self.workers.run(work, self._shares(), self._rows(taken))
            reach = pl.concat([reach, *(one.reach for one in added)]).unique()
            folded += added
        return self._finish("events", run, taken, folded, reach)

    def orders(self, days: Collection[date]) -> Manifest:
        """Recomputes the dataset `orders`; a fact and its duplicates lie on one day. Raises as `events`."""
        together = self._together(days, _no_reach())
        self._check(together)
        run = self._new_run()
        work = FoldOrders(self._snapshot(ORDER_GROUP), tuple(sorted(together)), self.results, run)
        folded = self.workers.run(work, self._shares(), self._rows(together))
        return self._finish("orders", run, together, folded, _no_reach())

    def _earlier(self, dataset: str, days: Collection[date]) -> pl.LazyFrame:
        """Who was there on the days and in the month before: `day`, `tenant_id`, `user_id`."""
        names = ("day", "tenant_id", "user_id")
        first, last = min(days) - timedelta(days=LOOKBACK_DAYS), max(days)
        wanted = [day for day in self._snapshot(GROUP).days() if first <= day < last]
        if dataset != "events" or not wanted:
            return pl.LazyFrame(schema={name: self.pinned.table.frame_schema[name] for name in names})
        snapshot, whole = self._snapshot(GROUP), [Share(*end, rows=1) for end in self._ends()]
        return pl.concat(snapshot.read(share, wanted, names).unique() for share in whole)

    def _ends(self) -> list[tuple[int, int, int]]:
        return [(one.epoch, p, end) for one in self.pinned.coverages for p, end in one.end.items()]

    def _new_run(self) -> str:
        return f"{self.pinned.sequence:010d}-{uuid4().hex[:12]}"

    def _snapshot(self, group: Sequence[str]) -> Snapshot:
        return Snapshot(self.pinned.table, self.files, self.results.storage, tuple(group))

    def _shares(self) -> list[Share]:
        """One share of each partition that has rows on any day, or more where it has many on one."""
        most: dict[tuple[int, int], int] = defaultdict(int)
        by_day: dict[tuple[int, int, date], int] = defaultdict(int)
        for commit in self.pinned.commits:
            for part in commit.landed.days:
                place = (commit.landed.epoch, part.partition)
                by_day[*place, part.day] += part.records
                most[place] = max(most[place], by_day[*place, part.day])
        return shares(self._ends(), most, ROWS_PER_SHARE)

    def _check(self, days: Collection[date]) -> None:
        check_files(self.workers, self.results.storage, of_days(self.files, days))

    def _rows(self, days: Collection[date]) -> int:
        return self.pinned.landed_rows(sorted(days))

    def _together(self, days: Collection[date], reach: pl.DataFrame) -> frozenset[date]:
        until = landed_until(self.pinned.coverage)
        together = connected(days, reach, self.published, until)
        for day in sorted(set(days) - together):
            raise NotYetPublishable(day, until)
        self.pinned.check_kept(together)
        return together

    def _finish(
        self, dataset: str, run: str, days: frozenset[date], folded: Sequence[Folded], reach: pl.DataFrame
    ) -> Manifest:
        files: dict[str, list[str]] = {name: [] for name in DATASET_RESULTS[dataset]}
        for one in folded:
            for name, file in one.files.items():
                files[name].append(file)
        for table, keys in ADDED_UP.items():
            if files.get(table):
                files[table] = [add_up(self.results, dataset, run, files[table], table, keys)]
        parts = Parts(self.results, dataset, run, files, tuple(sorted(days)))
        files["batch_breakdowns"] = break_down(parts, self._earlier(dataset, days))
        manifest = Manifest(
            dataset=dataset,
            run=run,
            days=tuple(sorted(days)),
            snapshot_id=self.pinned.snapshot_id,
            snapshot_sequence=self.pinned.sequence,
            coverage=self.pinned.coverage,
            definition=self.rules.definition,
            files={name: tuple(sorted(found)) for name, found in files.items()},
        )
        self.results.finish(manifest, reach)
        return manifest


DATASET_RESULTS = {"events": ("batch_events", "batch_sessions", "batch_products"), "orders": ("batch_orders",)}
"""Dataset -> the tables that a recompute of it fills."""
ADDED_UP = {"batch_products": ("day", "tenant_id", "product_id")}
"""Table whose rows come of several partitions of the log -> its keys."""


def _no_reach() -> pl.DataFrame:
    return pl.DataFrame(schema=REACH).select(REACH_NAMES)
