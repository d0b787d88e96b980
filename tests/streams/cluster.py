"""Workers as processes against a real broker, a seeded producer, and what must hold of both."""

import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.streams.recording import open_records
from tests.streams.worker import run
from tests.support.forked import Forked
from tests.support.waiting import until

Record = tuple[bytes | None, bytes | None]


def make_topic(bootstrap: str, partitions: int, **config: str) -> str:
    topic = f"test-{uuid4().hex[:12]}"
    settings = {"message.timestamp.type": "LogAppendTime"} | {name.replace("_", "."): v for name, v in config.items()}
    admin = AdminClient({"bootstrap.servers": bootstrap})  # its death cancels what it was asked
    admin.create_topics([NewTopic(topic, partitions, 1, config=settings)])[topic].result(15)
    return topic


class Load:
    """Produces numbered records, some of them poison, and keeps what the log holds: offset -> record by partition."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, seed: int) -> None:
        self._producers = [
            Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "acks": "all", "compression.type": codec})
            for codec in ("none", "zstd", "lz4", "snappy", "gzip")
        ]
        self._topic, self._partitions, self._random = topic, partitions, random.Random(seed)
        self._number = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.log: dict[tuple[int, int], Record] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def send(self, count: int) -> None:
        producer = self._producers[self._number % len(self._producers)]
        for _ in range(count):
            self._number += 1
            partition, record = self._random.randrange(self._partitions), self._record()
            producer.produce(
                self._topic, key=record[0], value=record[1], partition=partition, on_delivery=self._keep(record)
            )
        assert producer.flush(30) == 0

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self.send(self._random.randrange(50, 250))

    def _record(self) -> Record:
        kind = self._random.randrange(200)
        if kind == 0:
            return None, None
        if kind == 1:
            return self._random.randbytes(5), self._random.randbytes(self._random.randrange(300))
        return str(self._number).encode(), b"%d:" % self._number + b"x" * 150

    def _keep(self, record: Record) -> Callable[[Any, Any], None]:
        def delivered(error: Any, message: Any) -> None:
            assert error is None
            self.log[message.partition(), message.offset()] = record

        return delivered


class Worker:
    """One worker process; `folder` keeps its health files over restarts."""

    def __init__(self, folder: Path, given: dict[str, Any]) -> None:
        self.folder, self._given = folder, given | {"folder": str(folder)}
        self.process: Forked | None = None

    def start(self) -> "Worker":
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "worker.json").unlink(missing_ok=True)
        self.process = Forked(run, self._given, {}, self.folder / "worker.out")
        return self

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = 30.0) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def status(self) -> dict[str, Any]:
        try:
            status: dict[str, Any] = json.loads((self.folder / "worker.json").read_text())
        except FileNotFoundError:
            return {"partitions": [], "ticks": {"records": 0}, "backpressure": None, "waiting_for": None}
        return status

    def owns(self) -> int:
        return len(self.status()["partitions"])

    def log(self) -> str:
        return (self.folder / "worker.log").read_text()


class Cluster:
    """Workers of one group over one topic, whose engines write into one database."""

    def __init__(self, bootstrap: str, folder: Path, topic: str, partitions: int, **given: Any) -> None:
        self.folder, self.topic, self.partitions = folder, topic, partitions
        path = folder / "records.db"
        self._given = {"bootstrap": bootstrap, "group": topic, "records": str(path), "topics": [topic]} | given
        self._records = open_records(path)
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": topic})
        self._workers: dict[str, Worker] = {}

    def worker(self, name: str) -> Worker:
        return self._workers.setdefault(name, Worker(self.folder / name, self._given))

    def close(self) -> None:
        self._consumer.close()
        self._records.close()
        for worker in self._workers.values():
            if worker.process is not None and worker.process.poll() is None:
                worker.signal(signal.SIGCONT)
                worker.kill()

    def fails(self, how: str, fails: bool = True) -> None:
        """Make every engine `dead`, `hung` or `broken`, or mend it."""
        flag = self.folder / how
        flag.touch() if fails else flag.unlink()

    def pause(self, worker: Worker) -> None:
        """Stop a worker where it stands, but not in a transaction: SQLite would let nobody else write until it ends."""
        deadline = time.monotonic() + 40
        self._records.execute("PRAGMA busy_timeout = 1000")
        while True:
            worker.signal(signal.SIGSTOP)
            try:
                self._records.execute("BEGIN IMMEDIATE")
                self._records.execute("ROLLBACK")
            except sqlite3.OperationalError:
                assert time.monotonic() < deadline, "the worker is always in a transaction"
                worker.signal(signal.SIGCONT)
                time.sleep(0.05)
            else:
                return

    def query(self, sql: str) -> list[Any]:
        return self._records.execute(sql).fetchall()

    def seen(self) -> int:
        return int(self.query("SELECT count(*) FROM seen")[0][0])

    def progress(self, records: int = 300) -> None:
        """Wait until this many more records are written."""
        before = self.seen()
        until(lambda: self.seen() >= before + records, "progress")

    def committed(self) -> dict[int, int]:
        asked = [TopicPartition(self.topic, p) for p in range(self.partitions)]
        return {tp.partition: max(0, tp.offset) for tp in self._consumer.committed(asked, timeout=10)}

    def written_prefix(self) -> dict[int, int]:
        """Per partition, the end of what is written without a gap from offset 0."""
        reach: dict[int, int] = defaultdict(int)
        for partition, first, end in self.query("SELECT DISTINCT partition, first, next FROM slices ORDER BY 1, 2, 3"):
            if first <= reach[partition]:
                reach[partition] = max(reach[partition], end)
        return reach

    def check_commits(self) -> None:
        """No commit is past what was written; commits are read first, since what is written only grows."""
        committed, written = self.committed(), self.written_prefix()
        ahead = {p: (offset, written[p]) for p, offset in committed.items() if offset > written[p]}
        assert not ahead, f"committed past what is written: {ahead}"

    def done(self, load: Load) -> None:
        """Wait until everything in the log is committed."""
        ends: dict[int, int] = defaultdict(int)
        for partition, offset in load.log:
            ends[partition] = max(ends[partition], offset + 1)
        until(lambda: self.committed() == {p: ends[p] for p in range(self.partitions)}, "all to be committed")

    def check_against(self, load: Load) -> None:
        """Every record of the log was seen as it is, and always with the same append time."""
        rows = self.query("SELECT DISTINCT partition, offset, key, value FROM seen")
        seen = {(partition, offset): (key, value) for partition, offset, key, value in rows}
        assert len(rows) == len(seen), "a record was seen with two contents"
        assert seen.keys() == load.log.keys(), f"missed {sorted(load.log.keys() - seen.keys())[:5]}"
        assert seen == load.log
        several = "SELECT partition, offset FROM seen GROUP BY 1, 2 HAVING count(DISTINCT append_time) > 1"
        assert not self.query(several)
        falling = """SELECT partition, offset FROM
            (SELECT *, lag(append_time) OVER (PARTITION BY partition ORDER BY offset) AS before FROM
                (SELECT DISTINCT partition, offset, append_time FROM seen)) WHERE append_time < before"""
        assert not self.query(falling)


def replays(cluster: Cluster) -> int:
    """Records that were seen more than once."""
    return int(cluster.query("SELECT count(*) - count(DISTINCT partition * 1000000000 + offset) FROM seen")[0][0])
