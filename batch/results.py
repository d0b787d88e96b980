"""What a recompute leaves for its publication: one folder per run, complete once its manifest is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from batch.coverage import Coverage
from batch.files import new_file
from batch.storage import Storage
from schemas.breakdowns import BREAKDOWN_COLUMNS
from schemas.frames import EVENT_COLUMNS, ORDER_COLUMNS
from schemas.products import COUNTERS
from schemas.sessions import SESSION_COLUMNS
from schemas.tables.lake import LakeTable, from_arrow

MANIFEST = "manifest.json"
REACH = "reach.parquet"

PRODUCT_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "product_id": pl.String(),
    **dict.fromkeys(COUNTERS, pl.Int64()),
}
WRITER = "batch.recompute"
RESULT_TABLES = {
    "batch_events": LakeTable("batch_events", EVENT_COLUMNS, "event_time", WRITER, "Events of the days, each once."),
    "batch_sessions": LakeTable(
        "batch_sessions", SESSION_COLUMNS, "session_start", WRITER, "Sessions that began then."
    ),
    "batch_products": LakeTable("batch_products", PRODUCT_COLUMNS, "day", WRITER, "Counters of the products."),
    "batch_orders": LakeTable(
        "batch_orders", ORDER_COLUMNS, "order_time", WRITER, "Order facts of the days, each once."
    ),
    "batch_breakdowns": LakeTable(
        "batch_breakdowns", BREAKDOWN_COLUMNS, "day", WRITER, "Figures of the days by device, country, hour, category."
    ),
}


class NoSuchRun(Exception):
    """There is no finished run of this name. Recompute the day."""

    def __init__(self, dataset: str, run: str) -> None:
        super().__init__(f"no finished recompute {run} of {dataset}: recompute the day again")
        self.dataset, self.run = dataset, run


@dataclass(frozen=True)
class Manifest:
    """A finished recompute: what it was made from, and every file of it."""

    dataset: str
    run: str
    days: tuple[date, ...]
    snapshot_id: int
    snapshot_sequence: int
    coverage: Coverage
    definition: str
    files: Mapping[str, tuple[str, ...]]
    """Table -> names of its files in the folder of the run."""

    def to_json(self) -> str:
        """The manifest as it is stored."""
        coverage = {**vars(self.coverage), "taken_at": self.coverage.taken_at.isoformat()}
        return json.dumps({**vars(self), "days": [day.isoformat() for day in self.days], "coverage": coverage})

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """The manifest that `to_json` wrote."""
        raw = json.loads(text)
        cover = raw["coverage"]
        ends = {int(partition): end for partition, end in cover["end"].items()}
        coverage = Coverage(cover["epoch"], ends, datetime.fromisoformat(cover["taken_at"]))
        days = tuple(date.fromisoformat(day) for day in raw["days"])
        files = {table: tuple(names) for table, names in raw["files"].items()}
        return cls(**raw | {"days": days, "coverage": coverage, "files": files})


@dataclass(frozen=True)
class Results:
    """The folder of all runs: a path or a URI of an object store."""

    root: str
    storage: Storage = field(default_factory=Storage)

    def uri(self, dataset: str, run: str, name: str = "") -> str:
        """Where something of a run lies."""
        return "/".join(part for part in (self.root, dataset, run, name) if part)

    def finish(self, manifest: Manifest, reach: pl.DataFrame) -> None:
        """Writes the manifest, which is what makes the run readable, last."""
        folder = self.uri(manifest.dataset, manifest.run)
        with new_file(self.storage, f"{folder}/{REACH}") as out:
            pq.write_table(reach.to_arrow(), out)
        with new_file(self.storage, f"{folder}/{MANIFEST}.part") as out:
            out.write(manifest.to_json().encode())
        store, path = self.storage.open(folder)
        store.move(f"{path}/{MANIFEST}.part", f"{path}/{MANIFEST}")

    def manifest(self, dataset: str, run: str) -> Manifest:
        """A finished run. Raises `NoSuchRun`."""
        store, path = self.storage.open(self.uri(dataset, run, MANIFEST))
        try:
            with store.open_input_stream(path) as file:
                return Manifest.from_json(file.read().decode())
        except FileNotFoundError:
            raise NoSuchRun(dataset, run) from None

    def newest(self, dataset: str, day: date) -> Manifest:
        """The finished run with the day that is of the newest snapshot. Raises `NoSuchRun`."""
        store, path = self.storage.open(self.uri(dataset, ""))
        runs = store.get_file_info(fs.FileSelector(path, allow_not_found=True))
        for info in sorted(runs, key=lambda info: (info.base_name.split("-")[0], info.mtime_ns or 0), reverse=True):
            try:
                manifest = self.manifest(dataset, info.base_name)
            except NoSuchRun:
                continue
            if day in manifest.days:
                return manifest
        raise NoSuchRun(dataset, f"of {day}")

    def delete_before(self, time: datetime) -> int:
        """Deletes runs that were written before a time, but of each dataset the newest; answers how many."""
        store, root = self.storage.open(self.root)
        gone = 0
        for dataset in store.get_file_info(fs.FileSelector(root, allow_not_found=True)):
            runs = sorted(store.get_file_info(fs.FileSelector(dataset.path)), key=lambda run: run.base_name)
            for run in runs[:-1]:
                if self._newest_file(store, run.path) < time:
                    store.delete_dir(run.path)
                    gone += 1
        return gone

    def _newest_file(self, store: fs.FileSystem, path: str) -> datetime:
        files = store.get_file_info(fs.FileSelector(path, recursive=True))
        return max((file.mtime for file in files if file.mtime is not None), default=datetime.min.replace(tzinfo=UTC))

    def reach(self, manifest: Manifest) -> pl.DataFrame:
        """Sessions that lie on several days: `log_partition`, `event_days`, `last_offset`."""
        store, path = self.storage.open(self.uri(manifest.dataset, manifest.run, REACH))
        return pl.DataFrame(pq.read_table(path, filesystem=store))

    def frames(self, manifest: Manifest, table: str) -> Iterator[pl.DataFrame]:
        """The rows of a table with `day`, a bounded number at a time."""
        for rows in self._groups(manifest, table):
            yield from_arrow(rows, RESULT_TABLES[table].frame_schema)

    def blocks(self, manifest: Manifest, table: str, rows: int) -> Iterator[pa.Table]:
        """The rows of a table as they lie in the files, at least so many at a time but for the last."""
        waiting: list[pa.Table] = []
        for part in self._groups(manifest, table):
            waiting.append(part)
            if sum(len(one) for one in waiting) >= rows:
                yield pa.concat_tables(waiting)
                waiting = []
        if waiting:
            yield pa.concat_tables(waiting)

    def rows_by_day(self, manifest: Manifest, table: str) -> dict[date, int]:
        """How many rows each day of a table has."""
        counted: Counter[date] = Counter()
        for days in self._groups(manifest, table, ["day"]):
            counts = days["day"].value_counts()
            counted.update(dict(zip(*(counts.field(n).to_pylist() for n in ("values", "counts")), strict=True)))
        return dict(counted)

    def _groups(self, manifest: Manifest, table: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
        for name in manifest.files[table]:
            store, path = self.storage.open(self.uri(manifest.dataset, manifest.run, name))
            with pq.ParquetFile(path, filesystem=store) as file:
                for group in range(file.num_row_groups):
                    yield file.read_row_group(group, columns)
