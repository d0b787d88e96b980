"""Looks on while things break: what readers see at every moment (I5), and how much the workers take (I7)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.exceptions import Error

from infra.clients.clickhouse import connect
from infra.settings import Settings
from tests.faults.invariants import INPUTS, TABLES, Broken
from tests.faults.workers import Worker
from tests.merge.store import Store

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 5
MOST_MEMORY = 1536 << 20
MOST_FILES = 512

Progress = dict[tuple[str, int], int]


class Reader:
    """Asks the store what a reader would; answers None while it does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None

    def progress(self, where: str = INPUTS) -> Progress | None:
        """Offset below which each partition is applied."""
        rows = self.rows(f"SELECT topic, log_partition, applied FROM speed_progress FINAL WHERE {where}")
        return None if rows is None else {(row["topic"], row["log_partition"]): row["applied"] for row in rows}

    def stored_below(self, progress: Progress) -> Progress | None:
        """How many distinct offsets below these are stored, in whatever table."""
        parts = []
        for table, topic, _ in TABLES:
            parts.append(f"SELECT {topic}, log_partition, log_offset FROM {table}")
        bounds = " OR ".join(
            f"(topic = '{topic}' AND log_partition = {partition} AND log_offset < {end})"
            for (topic, partition), end in progress.items()
        )
        union = " UNION ALL ".join(parts)
        sql = f"SELECT topic, log_partition, uniqExact(log_offset) AS n FROM ({union}) WHERE {bounds} GROUP BY ALL"
        rows = self.rows(sql)
        return None if rows is None else {(row["topic"], row["log_partition"]): row["n"] for row in rows}

    def rows(self, sql: str) -> list[dict[str, Any]] | None:
        """Rows of a query."""
        try:
            if self._store is None:
                client = connect(self._settings.clickhouse, connect_timeout_s=2, query_timeout_s=PATIENCE_SECONDS)
                self._store = Store(client)
            return self._store.rows(sql)
        except (Error, OSError):
            self._store = None
            return None


class Watch:
    """A thread that polls until it is stopped; `check` raises what it saw."""

    def __init__(self, settings: Settings, workers: Callable[[], Sequence[Worker]]) -> None:
        self._reader, self._workers = Reader(settings), workers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._before: Progress = {}
        self._seen: list[Broken] = []
        self.polls = 0
        self.peak_memory = self.peak_files = 0

    def start(self) -> None:
        """Begin to look on."""
        self._thread.start()

    def stop(self) -> None:
        """Look on no more."""
        self._stop.set()
        self._thread.join(60)

    def check(self) -> None:
        """Raises `Broken` for the first thing that a reader must not see."""
        if self._seen:
            raise self._seen[0]
        if self.peak_memory > MOST_MEMORY or self.peak_files > MOST_FILES:
            raise Broken("I7", f"a worker took {self.peak_memory >> 20} MiB and {self.peak_files} files")

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self._measure()
            progress = self._reader.progress()
            if progress:
                self._judge(progress)

    def _measure(self) -> None:
        for worker in self._workers():
            memory, files = worker.resident()
            self.peak_memory, self.peak_files = max(self.peak_memory, memory), max(self.peak_files, files)

    def _judge(self, progress: Progress) -> None:
        self._fail_if_fallen(progress)
        stored = self._reader.stored_below(progress)
        if stored is None:
            return
        self.polls += 1
        short = {tp: (stored.get(tp, 0), end) for tp, end in progress.items() if stored.get(tp, 0) != end}
        if short:
            self._seen.append(Broken("I5", f"progress tells of records that are not stored: {short}"))

    def _fail_if_fallen(self, progress: Mapping[tuple[str, int], int]) -> None:
        fallen = {tp: (end, progress.get(tp, 0)) for tp, end in self._before.items() if progress.get(tp, 0) < end}
        if fallen:
            self._seen.append(Broken("I5", f"progress fell: {fallen}"))
        self._before = dict(progress)


def wait_seconds(since: float) -> float:
    """Seconds since a time of the monotonic clock."""
    return round(time.monotonic() - since, 1)
