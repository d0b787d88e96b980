"""Records and slices per second through Faust with an engine that does nothing, and how soon a lone record is ticked.

    python -m tests.benchmarks.transport [--records 2000000] [--partitions 8] [--bootstrap host:port]

Prints one JSON object. Rates are from the first tick to the last; latency is from the log append time to the tick, over
single records sent to a busy group of partitions that are otherwise idle.
"""

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from confluent_kafka import Producer

from infra.settings import Kafka
from streams.app import Wiring, Worker, WorkerOptions
from streams.identity import identify
from streams.slices import Slice
from tests.streams.cluster import make_topic
from tests.support.stack import RunStack, free_port_environment

VALUE = os.urandom(250)
LONE_RECORDS = 50


class NoOp:
    """Counts, and measures the age of what comes after the bulk."""

    def __init__(self, bulk: int) -> None:
        self.bulk, self.records, self.slices, self.ticks = bulk, 0, 0, 0
        self.first = self.last = self.cpu = 0.0
        self.ages: list[float] = []
        self.bulk_done, self.all_done = threading.Event(), threading.Event()

    def begin(self, slices: Sequence[Slice]) -> Sequence[Slice]:
        return slices

    def follows(self, begun: Sequence[Slice]) -> bool:
        return True

    def finish(self, ticks: Sequence[Sequence[Slice]]) -> None:
        slices = [each for begun in ticks for each in begun]
        now = time.time()
        if self.records >= self.bulk:
            self.ages += [now * 1000 - age for s in slices for age in s.append_times]
            self.all_done.set() if len(self.ages) >= LONE_RECORDS else None
            return
        if not self.records:
            self.first, self.cpu = now, time.process_time()
        self.records += sum(len(s.offsets) for s in slices)
        self.slices += len(slices)
        self.ticks += 1
        if self.records >= self.bulk:
            self.last, self.cpu = now, time.process_time() - self.cpu
            self.bulk_done.set()

    def epoch_for(self, topic: str, topic_id: str, partitions: int, end_offsets: Mapping[int, int]) -> int:
        """One epoch."""
        return 1

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        """Nothing is remembered."""


def produce(bootstrap: str, topic: str, partitions: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 500_000})
    for i in range(count):
        while True:
            try:
                producer.produce(topic, VALUE, partition=i % partitions)
                break
            except BufferError:
                producer.poll(0.1)
        if i % 10_000 == 0:
            producer.poll(0)
    producer.flush(60)


def lone_records(bootstrap: str, topic: str, partitions: int, engine: NoOp, wiring: Wiring) -> None:
    """After the bulk: one record at a time, then the end of the worker."""
    engine.bulk_done.wait(120)
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    time.sleep(1.0)
    for i in range(LONE_RECORDS):
        producer.produce(topic, VALUE, partition=i % partitions)
        producer.flush(10)
        time.sleep(0.137)
    engine.all_done.wait(30)
    wiring.app.loop.call_soon_threadsafe(wiring.app.loop.create_task, wiring.app.stop())


def measure(bootstrap: str, records: int, partitions: int) -> dict[str, float]:
    topic = make_topic(bootstrap, partitions)
    produce(bootstrap, topic, partitions, records)
    engine = NoOp(records)
    with tempfile.TemporaryDirectory() as folder:
        kafka = Kafka(bootstrap=bootstrap)
        logs = identify(kafka.client_config(), [topic], engine)
        wiring = Wiring(WorkerOptions(kafka, topic, Path(folder)), logs, engine)
        ends = threading.Thread(target=lone_records, args=(bootstrap, topic, partitions, engine, wiring), daemon=True)
        ends.start()
        try:
            Worker(wiring.app).execute_from_commandline()
        except SystemExit:
            ends.join(5)
    seconds = engine.last - engine.first
    return {
        "records_per_s": round(engine.records / seconds),
        "slices_per_s": round(engine.slices / seconds),
        "records_per_slice": round(engine.records / engine.slices),
        "ticks": engine.ticks,
        "cpu_us_per_record": round(engine.cpu / engine.records * 1e6, 2),
        "lone_record_ms_p50": round(statistics.median(engine.ages)),
        "lone_record_ms_max": round(max(engine.ages)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--bootstrap")
    given = parser.parse_args()
    os.environ |= free_port_environment()
    with tempfile.TemporaryDirectory() as folder:
        stack = RunStack(Path(folder) / "home")
        try:
            bootstrap = given.bootstrap or stack.server("kafka").kafka.bootstrap
            figures = measure(bootstrap, given.records, given.partitions)
        finally:
            if not given.bootstrap:
                stack.stop()
    print(json.dumps(figures))  # noqa: T201 - the result of the command


if __name__ == "__main__":
    main()
