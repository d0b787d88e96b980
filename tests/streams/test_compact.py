"""What stays in memory does not keep what it was cut from."""

from __future__ import annotations

import gc
import weakref
from typing import cast

import polars as pl
import pyarrow as pa
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from schemas.anomalies import clicks
from streams.client import RawRecords
from streams.compact import compact
from tests.support.waiting import until

_MIB = 1 << 20


def _texts() -> pl.DataFrame:
    """Some 40 MB of texts, in memory that Arrow counts."""
    texts = pa.chunked_array([pa.array([f"{n:040}" for n in range(_MIB)], pa.large_string())])
    return cast("pl.DataFrame", pl.from_arrow(pa.table({"text": texts, "n": range(_MIB)})))


def test_a_few_rows_of_many_take_little_memory_when_compact() -> None:
    before = pa.total_allocated_bytes()
    views = _texts()[[0, 1, 2]]
    assert pa.total_allocated_bytes() - before > 30 * _MIB
    few = compact(views)
    del views
    # Polars lets go in a thread of its own.
    until(lambda: pa.total_allocated_bytes() - before < _MIB, "the rows that were cut from to go")
    assert few.rows() == [(f"{n:040}", n) for n in range(3)]


def test_clicks_that_are_remembered_have_no_texts() -> None:
    assert not any(isinstance(kind, pl.String) for kind in clicks.TAIL_COLUMNS.values())


def test_what_was_fetched_goes_when_nobody_has_it_not_when_cycles_are_looked_for() -> None:
    gc.disable()
    try:
        records = RawRecords(TopicPartition("user-events", 0), MemoryRecords(b""), [], 0, None, None, True, 0)
        gone = weakref.ref(records)
        del records
        assert gone() is None
    finally:
        gc.enable()
