"""How far the speed layer is, for answers that do not ask ClickHouse: looked up aside, at most once a second."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

import polars as pl

from schemas.frames import TIMESTAMP
from serving.api.problems import Problem
from serving.api.provenance import applied_until
from serving.api.store import Store, rows
from serving.log import LogEnds

_EVERY_SECONDS = 1.0
_BELIEVED_SECONDS = 10.0
_SQL = "SELECT log_partition, applied, append_time FROM progress WHERE dataset = 'events'"
_COLUMNS: dict[str, pl.DataType] = {"log_partition": pl.Int64(), "applied": pl.Int64(), "append_time": TIMESTAMP}


class Freshness:
    """What `progress` said last of the events, as long as it is recent."""

    def __init__(self, store: Store, log: LogEnds) -> None:
        self._store, self._log = store, log
        self._pool = ThreadPoolExecutor(1, "freshness")
        self._asked: Future[None] | None = None
        self._asked_at = self._read_at = float("-inf")
        self._until: datetime | None = None

    def applied_until(self) -> datetime | None:
        """All that Kafka received until then was applied; None while that is not known. Waits for nobody."""
        now = time.monotonic()
        if now - self._asked_at > _EVERY_SECONDS and (self._asked is None or self._asked.done()):
            self._asked_at = now
            self._asked = self._pool.submit(self._ask)
        return self._until if now - self._read_at < _BELIEVED_SECONDS else None

    def _ask(self) -> None:
        try:
            with self._store.client() as client:
                found = rows(client, _SQL, _COLUMNS, {})
        except Problem:
            return
        applied = {row["log_partition"]: (row["applied"], row["append_time"]) for row in found}
        self._until = applied_until(applied, self._log.of("events"))
        self._read_at = time.monotonic()

    def close(self) -> None:
        """Ends the thread."""
        self._pool.shutdown(cancel_futures=True)
