"""Rows of several tables, inserted side by side."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from streams.progress import PROGRESS_COLUMNS, advance, begin, row
from streams.records import Range
from streams.stages import Stages
from streams.writes import Write, of_step
from streams.writing import Writer
from tests.merge.store import Store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TICK = Range("user-events", 1, 1, 0, 5, NOW, NOW)
STANDING = row(TICK, advance(begin(TICK), TICK, NOW), NOW)
GOOD = Write("speed_progress", pl.DataFrame([STANDING], schema=PROGRESS_COLUMNS))
BAD = Write("speed_reach", pl.DataFrame({"no_such_column": [1]}))


def partitions(store: Store) -> list[int]:
    return [row["log_partition"] for row in store.rows("SELECT log_partition FROM speed_progress")]


def test_each_write_is_named_when_its_rows_are_there(store: Store) -> None:
    store.clear()
    stages = Stages()
    writing = Writer([store.client], stages)([GOOD])
    assert [(write.table, partitions(store)) for write in writing.acknowledged()] == [("speed_progress", [1])]
    assert list(stages) == ["insert speed_progress"]
    assert not writing.failed()


def test_an_insert_that_failed_is_raised_when_the_others_have_ended(store: Store) -> None:
    """What is left behind would write beside the same tick when it is tried again."""
    store.clear()
    writing = Writer([store.client], Stages())([BAD, GOOD])
    with pytest.raises(DatabaseError):
        writing.end()
    assert partitions(store) == [1]
    assert writing.failed()


def test_some_tables_are_not_waited_for(store: Store) -> None:
    store.clear()
    writing = Writer([store.client], Stages())([GOOD, BAD])
    writing.end(but=(BAD.table,))
    assert partitions(store) == [1]
    assert writing.failed()


def test_a_step_has_the_tables_that_have_rows() -> None:
    rows = {GOOD.table: GOOD.rows, BAD.table: BAD.rows, "speed_sessions": pl.DataFrame()}
    assert of_step(("speed_sessions", "speed_reach"), rows) == [BAD]
