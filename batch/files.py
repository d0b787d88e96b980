"""Data files of the lake: written by workers with pyarrow, and made part of a table by pyiceberg in one commit.

Rows never pass through Java: what polars decoded goes to Parquet as it is.
"""

from __future__ import annotations

import errno
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
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
        """Writes rows of one day as a file of its own and answers its URI; no reader sees it before a commit.

        Its name ends in the checksum of its bytes, so it is in memory until it is whole. Raises `NoSpace`.
        """
        held = pa.BufferOutputStream()
        _encode(held, self.schema, parts)
        data = held.getvalue()
        uri = f"{self.location}/data/day={day.isoformat()}/{uuid4().hex}-{zlib.crc32(data):08x}.parquet"
        with new_file(self.storage, uri) as out:
            out.write(data)
        return uri


class NoSpace(Exception):
    """The storage is full. Nothing that was begun is part of the lake: make room, then run the command again."""

    def __init__(self, uri: str) -> None:
        super().__init__(f"no space left for {uri}: nothing of it counts; make room, then run the command again")
        self.uri = uri


class FileDamaged(Exception):
    """A file of the lake is not as it was written. Restore it from a copy; nothing was computed from it."""

    def __init__(self, uri: str, why: str) -> None:
        super().__init__(f"{uri} {why}: restore it from a copy; nothing was computed from it, what is published stays")
        self.uri, self.why = uri, why


def check(storage: Storage, uri: str) -> None:
    """Holds the bytes of a file against the checksum in its name, if it has one. Raises `FileDamaged`."""
    named = _CHECKSUM.search(uri)
    if named is None:
        return
    store, path = storage.open(uri)
    found = 0
    try:
        with store.open_input_stream(path, compression=None) as file:
            while piece := file.read(_PIECE):
                found = zlib.crc32(piece, found)
    except FileNotFoundError as error:
        raise FileDamaged(uri, "is missing") from error
    if found != int(named[1], 16):
        raise FileDamaged(uri, f"has the checksum {found:08x}, and had {named[1]} when it was written")


def write_parquet(storage: Storage, uri: str, schema: pa.Schema, parts: Iterable[pa.Table]) -> None:
    """Writes tables in their order; small ones share a row group. Raises `NoSpace`, and leaves no half file then."""
    with new_file(storage, uri) as out:
        _encode(out, schema, parts)


def _encode(out: pa.NativeFile, schema: pa.Schema, parts: Iterable[pa.Table]) -> None:
    options = {"compression": "zstd", "compression_level": 1, "use_dictionary": _dictionaries(schema)}
    with pq.ParquetWriter(out, schema, **options) as writer:
        for part in _grouped(parts):
            writer.write_table(part.select(schema.names).cast(schema), row_group_size=ROW_GROUP)


@contextmanager
def new_file(storage: Storage, uri: str) -> Iterator[pa.NativeFile]:
    """A stream into a new file, which is deleted again if it cannot be finished. Raises `NoSpace`."""
    store, path = storage.open(uri)
    try:
        store.create_dir(path.rpartition("/")[0], recursive=True)
        with store.open_output_stream(path) as out:
            yield out
    except OSError as error:
        storage.delete(uri)
        if error.errno in FULL:
            raise NoSpace(uri) from error
        raise


_CHECKSUM = re.compile(r"-([0-9a-f]{8})\.parquet$")
_PIECE = 1 << 22
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Numbers of the errors that say that a file system takes no more."""


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
