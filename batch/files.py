"""Data files of the lake: written by workers with pyarrow, and made part of a table by pyiceberg in one commit.

Rows never pass through Java: what polars decoded goes to Parquet as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from batch.storage import Storage

ROW_GROUP = 128 * 1024
"""Rows of a group at most; a reader who wants one partition of the log reads only the groups that have it."""
SMALL_GROUP = 16 * 1024
"""Fewer rows than this are written together with those of the next partition."""

_UNIQUE = {"event_id", "log_offset", "event_time", "append_time", "order_time", "transaction_id", "key", "value"}
"""Columns in which hardly a value repeats, so that a dictionary of them costs time and space."""


@dataclass(frozen=True)
class Target:
    """A table as its writers see it."""

    location: str
    schema: pa.Schema
    """With Iceberg's field ids."""
    storage: Storage

    def write(self, day: date, parts: Iterable[pa.Table]) -> str:
        """Writes rows of one day as a file of its own and answers its URI; no reader sees it before a commit."""
        uri = f"{self.location}/data/day={day.isoformat()}/{uuid4().hex}.parquet"
        write_parquet(self.storage, uri, self.schema, parts)
        return uri


def write_parquet(storage: Storage, uri: str, schema: pa.Schema, parts: Iterable[pa.Table]) -> None:
    """Writes tables in their order; small ones share a row group."""
    store, path = storage.open(uri)
    store.create_dir(path.rpartition("/")[0], recursive=True)
    options = {"compression": "zstd", "compression_level": 1, "use_dictionary": _dictionaries(schema)}
    with store.open_output_stream(path) as out, pq.ParquetWriter(out, schema, **options) as writer:
        for part in _grouped(parts):
            writer.write_table(part.select(schema.names).cast(schema), row_group_size=ROW_GROUP)


def _grouped(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    for part in parts:
        waiting.append(part)
        if sum(len(one) for one in waiting) >= SMALL_GROUP:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _dictionaries(schema: pa.Schema) -> list[str]:
    """The columns that are written with a dictionary, under their paths in Parquet."""
    return [path for field in schema if field.name not in _UNIQUE for path in _paths(field.name, field.type)]


def _paths(path: str, kind: pa.DataType) -> list[str]:
    if pa.types.is_map(kind):
        return [f"{path}.key_value.key", f"{path}.key_value.value"]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _paths(f"{path}.list.element", kind.value_type)
    if pa.types.is_struct(kind):
        return [found for field in kind for found in _paths(f"{path}.{field.name}", field.type)]
    return [path]


@dataclass(frozen=True)
class LakeFile:
    """A data file of a snapshot, and which partitions of the log it can hold."""

    uri: str
    day: date
    rows: int
    size: int
    first_partition: int
    last_partition: int

    def may_hold(self, partition: int) -> bool:
        """Whether rows of the partition can be in it."""
        return self.first_partition <= partition <= self.last_partition


def of_days(files: Sequence[LakeFile], days: Iterable[date]) -> list[LakeFile]:
    """The files of the days."""
    wanted = set(days)
    return [file for file in files if file.day in wanted]
