"""Rows that are sent in pieces: one insert, whole or not at all."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from infra.clients import clickhouse
from infra.clients.clickhouse import StoreUnavailable, insert, insert_arrow

pytestmark = pytest.mark.servers

ROWS = 50_000
FRAME = pl.DataFrame({"n": range(ROWS), "word": [f"word {n} é" for n in range(ROWS)]})


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clickhouse, "_PIECE", 1 << 16)


def test_all_rows_arrive_in_order_as_one_part(client: Any, table: str) -> None:
    insert(client, table, FRAME)
    insert(client, table, FRAME[:10])
    found = client.query_arrow(f"SELECT n, word FROM {table} WHERE _part_offset < {ROWS} ORDER BY n", use_strings=True)
    assert found.num_rows == ROWS + 10
    assert client.command(f"SELECT count() FROM system.parts WHERE table = '{table}' AND active") <= 2
    assert client.command(f"SELECT count() FROM {table} WHERE word = concat('word ', toString(n), ' é')") == ROWS + 10


def test_a_body_begins_anew_whenever_it_is_read() -> None:
    body = clickhouse._Body(FRAME.to_arrow(), None)
    first, second = (b"".join(body) for _ in range(2))
    assert first == second
    assert len([*body]) > 10
    assert pa.ipc.open_stream(first).read_all().num_rows == ROWS


def test_a_body_that_ends_early_inserts_nothing(client: Any, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, pieces = clickhouse._Sink.taken, 0

    def fails(sink: clickhouse._Sink) -> memoryview:
        nonlocal pieces
        pieces += 1
        if pieces > 5:
            raise ConnectionAbortedError
        return taken(sink)

    with monkeypatch.context() as patched:
        patched.setattr(clickhouse._Sink, "taken", fails)
        with pytest.raises((StoreUnavailable, ConnectionAbortedError)):
            insert_arrow(client, table, FRAME.to_arrow())
    assert client.command(f"SELECT count() FROM {table}") == 0
    insert(client, table, FRAME)
    assert client.command(f"SELECT count() FROM {table}") == ROWS
