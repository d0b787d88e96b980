"""Upkeep of the lake: small files become large ones, old snapshots and files that no snapshot names go, old days too.

Safe beside landings and beside itself: each change is one commit that fails if the table moved in a way that matters,
files are deleted only when nothing names them and they are too old to be on their way into a commit.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import takewhile

import polars as pl
from pyarrow import fs
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.table.update.snapshot import ExpireSnapshots

from batch.commits import commit
from batch.files import LakeFile, Target
from batch.folding import piece, pieces
from batch.lake import data_files, exchange, files_of, load_table, target
from batch.landings import KEPT_FROM, LANDING, commits, properties_of
from batch.scan import scan, typed
from batch.storage import Storage
from schemas.tables.lake import LakeTable, to_arrow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upkeep:
    """What is kept, and for how long."""

    snapshots: timedelta = timedelta(days=7)
    """Snapshots that are older go, but for the newest. No recompute may be pinned to them any more."""
    orphans: timedelta = timedelta(days=3)
    """Files that no snapshot names go when they are older: by then no landing can still be about to commit them."""
    days: int = 0
    """Days of data kept, by the day of the event; 0 keeps all."""
    file_rows: int = 5_000_000
    """Rows of a file that compaction makes, at most."""
    small_files: int = 8
    """A day with at least so many files smaller than a quarter of that is rewritten."""


@dataclass(frozen=True)
class TableUpkeep:
    """What was done to a table."""

    table: str
    rewritten_days: tuple[date, ...]
    files_before: int
    files_after: int
    snapshots_expired: int
    files_deleted: int
    kept_from: date | None


class RowsDiffer(Exception):
    """A rewritten day has not as many rows as before. Nothing was changed; look at the files of the day."""

    def __init__(self, table: str, day: date, before: int, after: int) -> None:
        super().__init__(f"{table}, {day}: {before} rows became {after} when they were rewritten; nothing was changed")
        self.table, self.day, self.before, self.after = table, day, before, after


@dataclass(frozen=True)
class Keeper:
    """The upkeep of tables."""

    catalog: Catalog
    storage: Storage
    upkeep: Upkeep
    clock: Callable[[], datetime]

    def keep(self, table: LakeTable) -> TableUpkeep | None:
        """Does all of it for a table; None if there is no such table yet."""
        try:
            before = load_table(self.catalog, table)
        except NoSuchTableError:
            return None
        files = len(data_files(before))
        kept_from = self._forget(table)
        days = self._compact(table)
        expired = self._expire(table)
        deleted = self._delete_orphans(load_table(self.catalog, table))
        after = len(data_files(load_table(self.catalog, table)))
        log.info("%s: %d files became %d, %d snapshots expired", table.name, files, after, expired)
        return TableUpkeep(table.name, tuple(days), files, after, expired, deleted, kept_from)

    def _forget(self, table: LakeTable) -> date | None:
        """Deletes the days that are past their time, and notes from when on days are whole."""
        if not self.upkeep.days:
            return None
        first = self.clock().date() - timedelta(days=self.upkeep.days)
        self._again(table, lambda found: _delete_before(found, first))
        return first

    def _compact(self, table: LakeTable) -> list[date]:
        if "log_partition" not in table.columns:
            return []
        found = load_table(self.catalog, table)
        head = found.current_snapshot()
        by_day: dict[date, list[LakeFile]] = defaultdict(list)
        for file in files_of(found, head.snapshot_id) if head else ():
            by_day[file.day].append(file)
        small = self.upkeep.file_rows // 4
        days = [d for d, own in by_day.items() if sum(file.rows < small for file in own) >= self.upkeep.small_files]
        for day in days:
            made = list(self._rewrite(table, target(found, self.storage), day, by_day[day]))
            gone = [file.uri for file in by_day[day]]
            self._again(table, lambda now, gone=gone, made=made: exchange(now, gone, made, {}))  # type: ignore[misc]  # bound now
        return days

    def _rewrite(self, table: LakeTable, into: Target, day: date, files: Sequence[LakeFile]) -> Iterator[str]:
        """Writes the rows of a day anew, a partition of the log at a time, and answers the files."""
        rows, done = _Day(table, files, self.storage), 0
        for partitions in rows.batches(self.upkeep.file_rows):
            parts = [rows.of(partition) for partition in partitions]
            done += sum(part.height for part in parts)
            yield into.write(day, (to_arrow(part.drop("day"), table) for part in parts))
        if done != sum(file.rows for file in files):
            raise RowsDiffer(table.name, day, sum(file.rows for file in files), done)

    def _expire(self, table: LakeTable) -> int:
        return self._again(table, lambda found: _expire(found, self.clock() - self.upkeep.snapshots)) or 0

    def _again(self, table: LakeTable, change: Callable[[Table], int | None]) -> int | None:
        """Makes a change to the table as it is now, again if somebody else commits at the same moment."""
        return commit(lambda: load_table(self.catalog, table), change)

    def _delete_orphans(self, table: Table) -> int:
        """Deletes what lies in the table's folder, is old, and is named by no snapshot nor by the table's metadata."""
        named = {self.storage.open(uri)[1] for uri in _named(table)}
        oldest = self.clock() - self.upkeep.orphans
        store, folder = self.storage.open(table.location())
        gone = 0
        for info in store.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True)):
            if info.type == fs.FileType.File and info.path not in named and info.mtime < oldest:
                store.delete_file(info.path)
                gone += 1
        return gone


@dataclass(frozen=True)
class _Day:
    """All rows of a day, also such as lie past what the lake covers."""

    table: LakeTable
    files: Sequence[LakeFile]
    storage: Storage

    def batches(self, limit: int) -> Iterator[list[int]]:
        """The partitions, so many at a time as have about `limit` rows."""
        counted = self._rows().group_by("log_partition").len().sort("log_partition").collect()
        batch: list[int] = []
        rows = 0
        for partition, count in counted.iter_rows():
            if batch and rows + count > limit:
                yield batch
                batch, rows = [], 0
            batch.append(partition)
            rows += count
        if batch:
            yield batch

    def of(self, partition: int) -> pl.DataFrame:
        """The rows of a partition in the order of the log."""
        rows = self._rows().filter(log_partition=partition).sort("log_epoch", "log_offset")
        return typed(rows, self.table.frame_schema).collect()

    def _rows(self) -> pl.LazyFrame:
        return scan(self.storage, [file.uri for file in self.files], self.table.frame_schema)


def _delete_before(table: Table, day: date) -> None:
    with table.transaction() as change:
        change.delete(f"day < '{day.isoformat()}'")
        change.set_properties({KEPT_FROM: day.isoformat()})


def _expire(table: Table, before: datetime) -> int:
    """Expires old ancestors of the newest snapshot, the oldest first without a gap, and keeps what they had landed."""
    head = table.current_snapshot()
    if head is None:
        return 0
    ancestors = list(ancestors_of(head, table.metadata))[::-1]
    old = list(takewhile(lambda one: one.timestamp_ms < before.timestamp() * 1000, ancestors[:-1]))
    if not old:
        return 0
    with table.transaction() as change:
        if any(LANDING in properties_of(one) for one in table.snapshots()) or pieces(table.properties):
            change.remove_properties(*pieces(table.properties))
            first_left = ancestors[len(old)].snapshot_id
            change.set_properties(piece(first_left, commits(table, old[-1].snapshot_id)))
        ExpireSnapshots(change).by_ids([one.snapshot_id for one in old]).commit()
    return len(old)


def _named(table: Table) -> Iterator[str]:
    """Everything that the table's metadata names."""
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    for snapshot in table.snapshots():
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            yield manifest.manifest_path
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                yield entry.data_file.file_path
