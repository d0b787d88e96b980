"""Sends a workload to the broker, as fast as it goes or at a steady rate: `python -m infra.bench.produce`."""

from __future__ import annotations

import argparse
import json
import sys
import time

from confluent_kafka import Producer

from infra.bench.workload import Block, Workload, WorkloadSize
from infra.settings import Kafka, load_settings
from schemas.registry import Registry
from schemas.topics import TRANSACTIONS, USER_EVENTS

_BLOCK = 5_000
_PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 20,
    "batch.size": 512 * 1024,
    "queue.buffering.max.messages": 400_000,
    "log_level": 0,
}


def main() -> None:
    """Prints one JSON object: records and user events sent; `began`, the Unix time of the first record sent; and the
    seconds and CPU seconds of this process from then on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.0, help="events a second; 0 is as fast as it goes")
    parser.add_argument("--open", type=int, default=50_000)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    settings = load_settings()
    registry = Registry(settings.registry.url)
    topics = {topic.name: topic for topic in (USER_EVENTS, TRANSACTIONS)}
    ids = {
        (str(topic.subject), version): number
        for topic in topics.values()
        for version, number in registry.register(topic).items()
    }
    partitions = {name: settings.partitions.get(name, topic.partitions) for name, topic in topics.items()}
    per_second = given.rate or 50_000.0
    size = WorkloadSize(given.events, per_second, given.open, given.products)
    begin = time.time() if given.rate else time.time() - given.events / per_second
    workload = Workload(size, given.seed, round(begin * 1_000), ids, partitions)
    producer = make_producer(settings.kafka)
    sent, events, began, spent, at = 0, 0, time.monotonic(), time.process_time(), time.time()
    for block in workload.blocks(min(_BLOCK, max(1, int(given.rate / 20))) if given.rate else _BLOCK):
        send(producer, block)
        sent += len(block)
        if block.topic == USER_EVENTS.name:
            events += len(block)
            if given.rate:
                time.sleep(max(0.0, began + events / given.rate - time.monotonic()))
    left = producer.flush(120)
    seconds = time.monotonic() - began
    cpu = time.process_time() - spent
    figures = {"records": sent, "events": events, "unsent": left, "began": at, "seconds": seconds, "cpu": cpu}
    sys.stdout.write(json.dumps(figures) + "\n")


def make_producer(kafka: Kafka) -> Producer:
    """A producer that loses nothing and sends large batches."""
    return Producer(kafka.client_config() | _PRODUCER)


def send(producer: Producer, block: Block) -> None:
    """Hands the records over, each to its partition; waits while the queue is full.

    One by one: `produce_batch` has no place for a partition of a record.
    """
    places = block.partitions.tolist()
    for key, value, partition in zip(block.keys, block.values, places, strict=True):
        while True:
            try:
                producer.produce(block.topic, value, key, partition)
            except BufferError:
                producer.poll(0.05)
            else:
                break
    producer.poll(0)


if __name__ == "__main__":
    main()
