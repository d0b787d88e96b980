"""The asynchronous client of clickhouse-connect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import clickhouse_connect
import pyarrow as pa
import pytest

from tests.support.clickhouse import Endpoint

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(params=[False, "lz4", "zstd"], ids=str)
async def aclient(request: pytest.FixtureRequest, endpoint: Endpoint) -> AsyncIterator[Any]:
    client = await clickhouse_connect.get_async_client(
        **endpoint.login(), database="rivermeet", compress=request.param, autogenerate_session_id=False
    )
    yield client
    await client.close()


async def test_rows_go_in_and_come_out(aclient: Any, table: str) -> None:
    await aclient.insert(table, [[1, "a"], [2, "b"]], column_names=["n", "word"])
    await aclient.insert_arrow(table, pa.table({"n": [3], "word": ["c"]}))

    assert (await aclient.query(f"SELECT word FROM {table} ORDER BY n")).result_rows == [("a",), ("b",), ("c",)]
    assert (await aclient.query_df(f"SELECT n FROM {table} ORDER BY n"))["n"].tolist() == [1, 2, 3]
    assert await aclient.command(f"SELECT count() FROM {table}") == 3


async def test_results_are_streamed(aclient: Any) -> None:
    rows = 0
    async with await aclient.query_row_block_stream("SELECT number FROM numbers(300000)") as blocks:
        async for block in blocks:
            rows += len(block)

    assert rows == 300_000


async def test_many_queries_at_once(aclient: Any) -> None:
    results = await asyncio.gather(*(aclient.query(f"SELECT {n}, sleep(0.01)") for n in range(60)))

    assert [result.first_row[0] for result in results] == list(range(60))
