"""A test double of the engine: writes down what it was given, and fails on demand."""

import sqlite3
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from streams.slices import Slice

SCHEMA = """
CREATE TABLE IF NOT EXISTS seen
    (worker TEXT, topic TEXT, partition INT, offset INT, append_time INT, key BLOB, value BLOB);
CREATE TABLE IF NOT EXISTS slices (worker TEXT, topic TEXT, epoch INT, partition INT, first INT, next INT);
CREATE TABLE IF NOT EXISTS forgotten (worker TEXT, topic TEXT, partition INT);
"""


def open_records(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.executescript(SCHEMA)
    return connection


class RecordingEngine:
    """One transaction per tick. A file named `dead`, `hung` or `broken` beside the database says how a tick fails."""

    def __init__(self, path: Path, worker: str) -> None:
        self._path, self._worker = path, worker
        self._records = open_records(path)

    def begin(self, slices: Sequence[Slice]) -> Sequence[Slice]:
        self._fail()
        return slices

    def follows(self, begun: Sequence[Slice]) -> bool:
        return True

    def finish(self, ticks: Sequence[Sequence[Slice]]) -> None:
        self._records.execute("BEGIN IMMEDIATE")
        for s in (each for begun in ticks for each in begun):
            where = self._worker, s.topic, s.partition
            columns = zip(s.offsets, s.append_times, s.keys, s.values, strict=True)
            self._records.executemany("INSERT INTO seen VALUES (?,?,?,?,?,?,?)", [(*where, *row) for row in columns])
            self._records.execute(
                "INSERT INTO slices VALUES (?,?,?,?,?,?)",
                (self._worker, s.topic, s.epoch, s.partition, s.first_offset, s.next_offset),
            )
        self._records.execute("COMMIT")

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        rows = [(self._worker, topic, partition) for partition in partitions]
        self._records.executemany("INSERT INTO forgotten VALUES (?,?,?)", rows)

    def _fail(self) -> None:
        if (self._path.parent / "dead").exists():
            raise ConnectionError("the store is down")
        if (self._path.parent / "broken").exists():
            raise ValueError("a bug")
        while (self._path.parent / "hung").exists():
            time.sleep(0.05)
