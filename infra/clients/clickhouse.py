"""ClickHouse, reached over HTTP: a client per role, frames in and out, and the migrations of the database."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

import clickhouse_connect
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from infra.settings import LOOPBACK, ClickHouse, Role
from schemas.tables import Migration

CONNECT_TIMEOUT_S = 10
QUERY_TIMEOUT_S = 300
_THIS_MACHINE = frozenset({LOOPBACK, "localhost", "::1"})
_LARGE_STATEMENT = {"max_query_size": 64 << 20, "max_ast_elements": 1_000_000, "max_expanded_ast_elements": 1_000_000}

_INSERT = {"optimize_on_insert": 0, "max_threads": 1}
"""Rows of one insert with equal keys stay beside each other until parts merge, as those of two inserts do: looking for
them row by row is a quarter of what an insert costs. What it passes through follows one step after the other, so more
threads only cost their wake-ups: a tenth."""

_PASSING = frozenset({159, 160, 202, 203, 209, 210, 236, 241, 242, 243, 252, 319, 373, 425, 999})
"""Error codes that time mends: timeouts, too many queries, network, aborted, memory, read-only, no space, too many
parts, unknown insert status, session locked, system error, Keeper."""


class Client(Protocol):
    """The part of clickhouse-connect's client that is used here."""

    def command(self, cmd: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Runs a statement that returns at most one value."""
        ...

    def query_arrow(
        self, query: str, parameters: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> pa.Table:
        """Runs a query and returns an Arrow table."""
        ...

    @property
    def write_compression(self) -> str | None:
        """How bodies are compressed; None where the server is on this machine."""
        ...

    def raw_insert(
        self,
        table: str,
        column_names: Sequence[str],
        insert_block: Any,
        settings: dict[str, Any] | None = None,
        fmt: str | None = None,
    ) -> Any:
        """Inserts bytes of a format; returns when the server has acknowledged them."""
        ...

    def close(self) -> None:
        """Closes the connections."""
        ...


class StoreUnavailable(Exception):
    """ClickHouse cannot take the statement now; the same statement may be tried again later."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"ClickHouse cannot answer now: {reason}")
        self.reason = reason


class MigrationChanged(Exception):
    """A migration that the database has applied is no longer what the files say; add a new migration instead."""

    def __init__(self, number: int, name: str) -> None:
        super().__init__(
            f"migration {number:04d}_{name} has changed since it was applied; restore its text and add a new migration"
        )
        self.number = number
        self.name = name


def connect(
    settings: ClickHouse,
    role: Role = "writer",
    database: str | None = None,
    *,
    connect_timeout_s: int = CONNECT_TIMEOUT_S,
    query_timeout_s: int = QUERY_TIMEOUT_S,
) -> Client:
    """A client for one thread, logged in as `role`, in the settings' database unless another is named."""
    login = settings.login(role)
    client = clickhouse_connect.get_client(
        host=settings.host,
        port=settings.port,
        secure=settings.secure,
        username=login.user,
        password=login.password.get_secret_value(),
        database=settings.database if database is None else database,
        connect_timeout=connect_timeout_s,
        send_receive_timeout=query_timeout_s,
        autogenerate_session_id=False,
        tz_mode="aware",
        compress=settings.host not in _THIS_MACHINE,
    )
    return cast("Client", client)


def insert(client: Client, table: str, frame: pl.DataFrame) -> None:
    """Inserts a frame whose columns are named as those of the table; lists of (key, value) fill columns of type Map.

    Returns when the rows are acknowledged; raises `StoreUnavailable`.
    """
    arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    for index, name in enumerate(arrow.column_names):
        if _is_map(arrow.schema.field(name).type):
            arrow = arrow.set_column(index, name, _as_map(arrow.column(name).combine_chunks()))
    insert_arrow(client, table, arrow)


def insert_arrow(client: Client, table: str, rows: pa.Table) -> None:
    """Inserts rows that are in Arrow's form already. Raises `StoreUnavailable`."""
    body = _Body(rows, client.write_compression)
    with _unavailable():
        client.raw_insert(table, rows.column_names, body.whole if body.is_small else body, _INSERT, "ArrowStream")


class _Body:
    """Rows as an Arrow stream: in pieces, from the first on whenever it is read."""

    def __init__(self, rows: pa.Table, compression: str | None) -> None:
        self._rows = rows
        self._options = pa.ipc.IpcWriteOptions(compression=compression if compression in _CODECS else None)

    @property
    def is_small(self) -> bool:
        """Whether it is one piece."""
        return int(self._rows.nbytes) <= _PIECE

    @property
    def whole(self) -> memoryview:
        """All of it."""
        sink = _OF_THREAD.sink()
        with self._stream(sink) as stream:
            stream.write_table(self._rows)
        return sink.taken()

    def __iter__(self) -> Iterator[bytes]:
        sink, rows = _OF_THREAD.sink(), self._rows
        with self._stream(sink) as stream:
            for batch in rows.to_batches(max_chunksize=max(1, rows.num_rows * _PIECE // rows.nbytes)):
                stream.write_batch(batch)
                yield bytes(sink.taken())
        yield bytes(sink.taken())

    def _stream(self, sink: _Sink) -> pa.ipc.RecordBatchStreamWriter:
        return pa.ipc.new_stream(pa.PythonFile(sink, "w"), self._rows.schema, options=self._options)


class _Sink:
    """Where a thread writes the pieces of its inserts, one over the other; it grows with the largest.

    What the client writes by itself goes into memory that is taken anew, and copied as it grows: a twelfth of what an
    event cost.
    """

    def __init__(self) -> None:
        self._octets = memoryview(bytearray(_PIECE))
        self._size = 0
        self.closed = False

    def taken(self) -> memoryview:
        """What was written since the last call, whole until more is written."""
        size, self._size = self._size, 0
        return self._octets[:size]

    def write(self, piece: Any) -> int:
        """Takes the next bytes; Arrow calls it."""
        octets = memoryview(piece).cast("B")
        begin, self._size = self._size, self._size + len(octets)
        if self._size > len(self._octets):
            more = memoryview(bytearray(self._size + self._size // 2))
            more[:begin] = self._octets[:begin]
            self._octets = more
        self._octets[begin : self._size] = octets
        return len(octets)

    def flush(self) -> None:
        """Nothing waits."""


class _OfThread(threading.local):
    def __init__(self) -> None:
        self._sink = _Sink()

    def sink(self) -> _Sink:
        """The thread's own, empty: what an insert that failed left there is gone."""
        self._sink.taken()
        return self._sink


_PIECE = 2 << 20
"""Octets of a body that are sent at a time: what an insert takes of memory does not follow its rows."""
_OF_THREAD = _OfThread()
_CODECS = ("zstd", "lz4")


def _is_map(dtype: pa.DataType) -> bool:
    """Polars has no map type that Arrow and it agree on: a map is a list of structs with just these two fields."""
    pairs = dtype.value_type if pa.types.is_large_list(dtype) else None
    return pairs is not None and pa.types.is_struct(pairs) and [field.name for field in pairs] == ["key", "value"]


def _as_map(pairs: pa.LargeListArray) -> pa.MapArray:
    keys, values = pairs.flatten().flatten()
    return pa.MapArray.from_arrays(_offsets(pairs), keys, values)


def _offsets(lists: pa.LargeListArray) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    return pa.concat_arrays([pa.array([0]), pc.cumulative_sum(lengths)]).cast(pa.int32())


def select(
    client: Client, sql: str, columns: Mapping[str, pl.DataType], parameters: Mapping[str, Any] | None = None
) -> pl.DataFrame:
    """Runs a query and returns exactly `columns`, cast to their types. Raises `StoreUnavailable`."""
    with _unavailable():
        table = client.query_arrow(sql, parameters=parameters, settings=_LARGE_STATEMENT)
    frame = cast("pl.DataFrame", pl.from_arrow(table)) if table.num_columns else pl.DataFrame(schema=dict(columns))
    return frame.select(pl.col(name).cast(dtype) for name, dtype in columns.items())


@contextmanager
def _unavailable() -> Iterator[None]:
    """Tells what time mends (no connection, no memory, too many parts, a restart) from a statement that is wrong."""
    try:
        yield
    except OperationalError as error:
        raise StoreUnavailable(str(error)) from error
    except DatabaseError as error:
        if error.code in _PASSING:
            raise StoreUnavailable(str(error)) from error
        raise


def migrate(client: Client, migrations: Iterable[Migration], views: Iterable[tuple[str, str]]) -> list[str]:
    """Applies what the database lacks and makes the views anew; returns the names of the migrations applied.

    Raises `MigrationChanged` when an applied migration differs from its file.
    """
    client.command(
        "CREATE TABLE IF NOT EXISTS schema_migrations (number UInt32, name String, checksum String,"
        " applied_at DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = ReplacingMergeTree ORDER BY number"
    )
    columns = {"number": pl.Int64(), "checksum": pl.String()}
    applied = dict(select(client, "SELECT number, checksum FROM schema_migrations", columns).iter_rows())
    done = [migration for migration in migrations if _apply(client, migration, applied)]
    for _, statement in views:
        client.command(statement)
    return [migration.name for migration in done]


def _apply(client: Client, migration: Migration, applied: Mapping[int, str]) -> bool:
    if migration.number in applied:
        if applied[migration.number] != migration.checksum:
            raise MigrationChanged(migration.number, migration.name)
        return False
    client.command(migration.sql)
    row = {"number": [migration.number], "name": [migration.name], "checksum": [migration.checksum]}
    insert(client, "schema_migrations", pl.DataFrame(row))
    return True
