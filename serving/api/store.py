"""ClickHouse as the API reads it: a bounded number of clients, each used by one thread at a time, and its errors."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from queue import Empty, LifoQueue
from typing import Any

import polars as pl
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from infra.clients.clickhouse import Client, StoreUnavailable, select
from serving.api.problems import BUSY, INCOMPLETE, UNAVAILABLE, Problem

CLIENTS = 8
PATIENCE_S = 2.0
CONNECT_TIMEOUT_S = 2
QUERY_TIMEOUT_S = 10

Connect = Callable[[], Client]

_HOLE = re.compile(r"INCOMPLETE: [^']*")
_log = logging.getLogger(__name__)


class Store:
    """Lends clients. At most `limit` exist; who gets none within `patience_s` is told to come again."""

    def __init__(self, connect: Connect, limit: int = CLIENTS, patience_s: float = PATIENCE_S) -> None:
        self._connect = connect
        self._patience_s = patience_s
        self.limit = limit
        self._idle: LifoQueue[Client | None] = LifoQueue(limit)
        for _ in range(limit):
            self._idle.put(None)

    @property
    def lent(self) -> int:
        """Clients in use now."""
        return self.limit - self._idle.qsize()

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client for the calling thread, for as long as the block lasts. Raises `Problem` for the store's errors."""
        try:
            client = self._idle.get(timeout=self._patience_s)
        except Empty as error:
            raise Problem(BUSY, "every connection to ClickHouse is in use; ask again") from error
        try:
            client = client or self._connect()
            yield client
        except (ClickHouseError, StoreUnavailable) as error:
            _close(client)
            client = None
            raise _problem(error) from error
        finally:
            self._idle.put(client)

    def close(self) -> None:
        """Closes the idle clients."""
        idle: list[Client | None] = []
        with suppress(Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for client in idle:
            _close(client)
            self._idle.put(None)


def rows(
    client: Client, sql: str, columns: Mapping[str, pl.DataType], parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The rows of a query. Values reach the server as query parameters, never as part of the text."""
    return select(client, sql, columns, parameters).to_dicts()


def _close(client: Client | None) -> None:
    if client is not None:
        with suppress(ClickHouseError, OSError):
            client.close()


def _problem(error: Exception) -> Problem:
    """What to tell the caller; addresses and SQL stay in the log."""
    hole = _HOLE.search(str(error))
    if isinstance(error, DatabaseError) and hole:
        return Problem(INCOMPLETE, hole.group().strip())
    _log.warning("ClickHouse failed: %s", error)
    if isinstance(error, (StoreUnavailable, OperationalError)):
        return Problem(
            UNAVAILABLE, "ClickHouse cannot answer now; ask again, and see `rivermeet status` if it stays so"
        )
    raise error
