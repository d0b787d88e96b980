"""Raw records in, usable and unusable rows out: what Spark's workers run on the records of a landing.

Both kinds come out of one pass in one table, so that a record is read and judged once; `reason` is null on usable rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate

import polars as pl
import pyarrow as pa

from schemas.tables.lake import DEAD_LETTERS, LakeTable, to_arrow

RAW_COLUMNS = ("partition", "offset", "timestamp", "timestampType", "key", "value")
LOG_APPEND_TIME = 1
REFUSAL = ("reason", "message", "key", "value")
"""The columns that only unusable rows have."""


class NotAppendTime(Exception):
    """A record does not carry the log append time. Set message.timestamp.type=LogAppendTime on the topic."""

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(f"topic {topic}, partition {partition}: set message.timestamp.type=LogAppendTime on the topic")
        self.topic, self.partition = topic, partition


@dataclass(frozen=True)
class RawRecords:
    """Records of one partition in the order of their offsets. Append times are in ms and never fall."""

    topic: str
    epoch: int
    partition: int
    offsets: list[int]
    append_times: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]


@dataclass(frozen=True)
class Judged:
    """What became of raw records: rows of the table that is landed into, and dead letters."""

    usable: pl.DataFrame
    dead_letters: pl.DataFrame


Judge = Callable[[RawRecords], Judged]


def staged_schema(table: LakeTable) -> pa.Schema:
    """Columns of a usable row, then those of a refusal."""
    refusal = [DEAD_LETTERS.arrow_schema.field(name) for name in REFUSAL]
    return pa.schema([*table.arrow_schema, *refusal])


@dataclass(frozen=True)
class Stage:
    """The function for `mapInArrow`: batches of `RAW_COLUMNS` to batches of `staged_schema`."""

    topic: str
    epoch: int
    table: LakeTable
    judge: Judge
    append_times: dict[int, int]
    """Partition -> greatest append time (ms) below the range."""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One call sees whole partitions in order: Spark reads a Kafka partition in one task."""
        floors = dict(self.append_times)
        for batch in batches:
            for raw in self._by_partition(pl.DataFrame(batch), floors):
                yield from _staged(self.judge(raw), self.table).to_batches()

    def _by_partition(self, rows: pl.DataFrame, floors: dict[int, int]) -> Iterator[RawRecords]:
        for (partition,), part in rows.group_by("partition", maintain_order=True):
            number = int(str(partition))
            if (part["timestampType"] != LOG_APPEND_TIME).any():
                raise NotAppendTime(self.topic, number)
            stamps = part["timestamp"].dt.epoch("ms").to_list()
            times = list(accumulate(stamps, max, initial=floors.get(number, 0)))[1:]
            floors[number] = times[-1]
            keys, values = part["key"].to_list(), part["value"].to_list()
            yield RawRecords(self.topic, self.epoch, number, part["offset"].to_list(), times, keys, values)


def _staged(judged: Judged, table: LakeTable) -> pa.Table:
    """Missing columns are null: refusals of usable rows, and everything but position and refusal of dead letters."""
    schema = staged_schema(table)
    dead = to_arrow(judged.dead_letters, DEAD_LETTERS)
    return pa.concat_tables([_filled(to_arrow(judged.usable, table), schema), _filled(dead, schema)])


def _filled(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    have = set(rows.schema.names)
    columns = [rows[field.name] if field.name in have else pa.nulls(len(rows), field.type) for field in schema]
    return pa.table(columns, schema=schema)
