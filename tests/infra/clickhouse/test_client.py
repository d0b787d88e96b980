"""clickhouse-connect, unchanged, does here what it does with a server."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.support.clickhouse import Endpoint

pytestmark = pytest.mark.servers

COMPRESSIONS = [False, "lz4", "zstd", "gzip"]
WORDS = pa.table({"n": pa.array([1, 2, 3], pa.int64()), "word": ["a", "b", "c"]})


@pytest.fixture(params=COMPRESSIONS, ids=str)
def any_client(request: pytest.FixtureRequest, endpoint: Endpoint) -> Any:
    client = endpoint.client(compress=request.param)
    yield client
    client.close()


def test_rows_come_back_as_they_were_inserted(any_client: Any, table: str) -> None:
    rows = [[n, f"word {n} ' \\ \n é"] for n in range(5000)]

    summary = any_client.insert(table, rows, column_names=["n", "word"])

    assert summary.written_rows == 5000
    assert any_client.query(f"SELECT n, word FROM {table} ORDER BY n").result_rows == [tuple(row) for row in rows]


def test_arrow_goes_in_and_comes_out(any_client: Any, table: str) -> None:
    any_client.insert_arrow(table, WORDS)

    found = any_client.query_arrow(f"SELECT * FROM {table} ORDER BY n", use_strings=True)

    assert found.to_pydict() == WORDS.to_pydict()


def test_frames_go_in_and_come_out(any_client: Any, table: str) -> None:
    frame = pd.DataFrame({"n": [1, 2], "word": ["x", "y"]})

    any_client.insert_df(table, frame)

    pd.testing.assert_frame_equal(any_client.query_df(f"SELECT * FROM {table} ORDER BY n"), frame, check_dtype=False)
    polars = any_client.query_df_arrow(f"SELECT * FROM {table} ORDER BY n", dataframe_library="polars")
    assert isinstance(polars, pl.DataFrame)
    assert polars["n"].to_list() == [1, 2]


@pytest.mark.parametrize("format_name", ["CSV", "JSONEachRow", "TabSeparated", "RowBinary", "Parquet", "ArrowStream"])
def test_raw_bytes_of_any_format_go_both_ways(any_client: Any, table: str, format_name: str) -> None:
    block = any_client.raw_query(
        "SELECT toInt64(number) AS n, toString(number) AS word FROM numbers(1000)", fmt=format_name
    )

    any_client.raw_insert(table, ["n", "word"], block, fmt=format_name)

    assert any_client.query(f"SELECT count(), sum(n), max(word) FROM {table}").first_row == (1000, 499500, "999")


def test_a_compressed_block_is_inserted_as_it_is(client: Any, table: str) -> None:
    import zstandard

    block = zstandard.compress(b"1\ta\n2\tb\n")

    client.raw_insert(table, ["n", "word"], block, fmt="TabSeparated", compression="zstd")

    assert client.command(f"SELECT count() FROM {table}") == 2


def test_results_are_streamed_in_blocks(any_client: Any) -> None:
    with any_client.query_row_block_stream("SELECT number, toString(number) FROM numbers(500000)") as blocks:
        sizes = [len(block) for block in blocks]

    assert sum(sizes) == 500_000
    assert len(sizes) > 1
    with any_client.query_arrow_stream("SELECT number FROM numbers(500000)") as tables:
        assert sum(table.num_rows for table in tables) == 500_000
    with any_client.query_df_stream("SELECT number FROM numbers(500000)") as frames:
        assert sum(len(frame) for frame in frames) == 500_000


def test_an_abandoned_stream_leaves_the_client_usable(client: Any) -> None:
    with client.query_row_block_stream("SELECT number FROM numbers(100000000)") as blocks:
        next(iter(blocks))

    assert client.command("SELECT 1") == 1


def test_parameters_are_bound_by_the_engine(client: Any) -> None:
    given = {
        "text": "it's \\ \t\n",
        "day": dt.date(2026, 11, 21),
        "at": dt.datetime(2026, 11, 21, 1, 2, 3, tzinfo=dt.UTC),
        "list": ["a", "b'c"],
        "none": None,
    }

    row = client.query(
        "SELECT {text:String}, {day:Date}, {at:DateTime('UTC')}, {list:Array(String)}, {none:Nullable(Int8)}",
        parameters=given,
        tz_mode="aware",
    ).first_row

    assert row == (given["text"], given["day"], given["at"], given["list"], None)
    assert client.query("SELECT %s + %s", parameters=(1, 2)).first_row == (3,)


def test_names_may_be_parameters(client: Any, table: str) -> None:
    assert client.query("SELECT count() FROM {t:Identifier}", parameters={"t": table}).first_row == (0,)


def test_settings_hold_for_one_query_only(client: Any) -> None:
    sql = "-- a comment first\nSELECT getSetting('max_block_size'), getSetting('join_use_nulls')"
    before = client.query(sql).first_row

    assert client.query(sql, settings={"max_block_size": 1234, "join_use_nulls": 1}).first_row == (1234, True)
    assert client.query(sql).first_row == before


def test_settings_of_a_client_hold_for_all_it_does(endpoint: Endpoint) -> None:
    client = endpoint.client(settings={"join_use_nulls": 1})

    assert client.command("/* Feast begins so */ SELECT getSetting('join_use_nulls')") in ("true", 1)
    client.close()


def test_every_type_comes_back_as_itself(client: Any) -> None:
    row = client.query(
        "SELECT toUInt64(18446744073709551615), toDecimal64('1.25', 2), toDate('2026-11-21'),"
        " toDateTime64('2026-11-21 01:02:03.456', 3, 'UTC'), [1, 2], map('k', 1), (1, 'a'), NULL,"
        " toUUID('00000000-0000-0000-0000-000000000001'), toLowCardinality('low'), toIPv4('10.0.0.1')"
    ).first_row

    assert row[0] == 2**64 - 1
    assert row[1] == Decimal("1.25")
    assert row[2] == dt.date(2026, 11, 21)
    assert row[3].replace(tzinfo=dt.UTC) == dt.datetime(2026, 11, 21, 1, 2, 3, 456000, dt.UTC)
    assert row[4:8] == ([1, 2], {"k": 1}, (1, "a"), None)
    assert row[8] == UUID(int=1)
    assert (row[9], str(row[10])) == ("low", "10.0.0.1")


def test_an_empty_result_keeps_its_columns(client: Any) -> None:
    assert client.query("SELECT 1 AS a, 'x' AS b LIMIT 0").column_names == ("a", "b")
    assert client.query_arrow("SELECT 1 AS a WHERE 0").num_rows == 0
    assert client.query("SELECT 1 AS a WHERE 0").result_rows == []


def test_commands_answer_with_a_value_or_a_summary(client: Any, table: str) -> None:
    assert client.command("SELECT 1, 'a'") == ["1", "a"]
    assert client.command("SELECT version()") == client.server_version
    assert client.command(f"INSERT INTO {table} VALUES (1, 'a'), (2, upper('b'));").written_rows == 2
    assert client.command(f"INSERT INTO {table} SELECT number, 'x' FROM numbers(10)").written_rows == 10
    assert client.query(f"SELECT word FROM {table} WHERE n = 2 AND word != 'x'").first_row == ("B",)


def test_a_query_tells_what_it_read(client: Any, table: str) -> None:
    client.insert(table, [[n, ""] for n in range(100)], column_names=["n", "word"])

    summary = client.query(f"SELECT sum(n) FROM {table}").summary

    assert int(summary["read_rows"]) == 100


def test_repeated_inserts_with_one_token_count_once(client: Any, table: str) -> None:
    client.command(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 100")

    for _ in range(3):
        client.insert_arrow(table, WORDS, settings={"insert_deduplication_token": "log-0-3"})

    assert client.command(f"SELECT count() FROM {table}") == 3


def test_a_table_has_a_life(client: Any, table: str) -> None:
    client.insert_arrow(table, WORDS)
    client.command(f"ALTER TABLE {table} ADD COLUMN extra Nullable(String) DEFAULT 'e' COMMENT 'more'")
    client.command(f"ALTER TABLE {table} UPDATE word = 'z' WHERE n = 1 SETTINGS mutations_sync = 2")
    client.command(f"DELETE FROM {table} WHERE n = 2")
    client.command(f"OPTIMIZE TABLE {table} FINAL")

    assert client.query(f"SELECT n, word, extra FROM {table} ORDER BY n").result_rows == [(1, "z", "e"), (3, "c", "e")]
    assert "MergeTree" in client.command(f"SHOW CREATE TABLE {table}")
    assert client.query(f"DESCRIBE TABLE {table}").result_rows[2][:2] == ("extra", "Nullable(String)")
    assert client.command(f"EXISTS TABLE {table}") == 1
    client.command(f"TRUNCATE TABLE {table}")
    assert client.command(f"SELECT count() FROM {table}") == 0
