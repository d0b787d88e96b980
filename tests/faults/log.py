"""The log as the broker holds it: what was sent to it and acknowledged, and what is read back from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from infra.settings import Settings
from tests.faults.traffic import PARTITIONS, Planned
from tests.oracle.records import LogRecord

SECONDS = 120.0
BATCH = 100
HEADER = "number"
Position = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass(frozen=True)
class Held:
    """A record that the log holds: the number under which it was sent, when it was appended, and its bytes."""

    number: int
    append_time_ms: int
    key: bytes | None
    value: bytes | None


class Load:
    """Sends planned records in their order, in the background if wanted, and keeps which were acknowledged where."""

    def __init__(self, settings: Settings) -> None:
        config = {
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5,
            "compression.type": "zstd",
            "message.timeout.ms": int(SECONDS * 1000),
        }
        self._producer: Any = Producer(settings.kafka.client_config() | config)
        self.sent: list[Planned] = []
        self.acknowledged: dict[Position, int] = {}
        self.failures: list[str] = []
        self._thread: threading.Thread | None = None

    def send(self, records: Iterable[Planned]) -> None:
        """Send, and wait until all is acknowledged."""
        self._produce(records)
        self.finish()

    def flow(self, records: list[Planned], seconds: float) -> None:
        """Begin to send these evenly over some seconds, without waiting."""
        assert self._thread is None
        self._thread = threading.Thread(target=self._paced, args=(records, seconds), daemon=True)
        self._thread.start()

    def flowing(self) -> bool:
        """Whether something is still being sent in the background."""
        return self._thread is not None and self._thread.is_alive()

    def finish(self) -> None:
        """Wait for the background, and until all is acknowledged."""
        if self._thread is not None:
            self._thread.join(2 * SECONDS)
            assert not self._thread.is_alive(), "the load does not end"
            self._thread = None
        left = self._producer.flush(SECONDS)
        assert not left and not self.failures, f"{left} records unsent, {self.failures[:3]}"

    def _paced(self, records: list[Planned], seconds: float) -> None:
        pause = seconds * BATCH / max(1, len(records))
        for first in range(0, len(records), BATCH):
            self._produce(records[first : first + BATCH])
            time.sleep(pause)

    def _produce(self, records: Iterable[Planned]) -> None:
        for record in records:
            number = len(self.sent)
            self.sent.append(record)
            self._producer.produce(
                record.topic,
                record.value,
                record.key,
                record.partition,
                on_delivery=self._keep(number),
                headers={HEADER: str(number).encode()},
            )
            self._producer.poll(0)

    def _keep(self, number: int) -> Callable[[Any, Any], None]:
        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                self.failures.append(str(error))
                return
            self.acknowledged[message.topic(), message.partition(), message.offset()] = number

        return delivered


class LogReader:
    """Reads what the broker holds of the two topics, from the first record to the end."""

    def __init__(self, settings: Settings) -> None:
        self._config = settings.kafka.client_config()
        self._admin: Any = AdminClient(self._config | {"log_level": 0})

    def ends(self, of: Sequence[tuple[str, int]] | None = None) -> dict[tuple[str, int], int]:
        """The offset that the next record of each partition will get; of those of the load, unless others are named."""
        places = partitions() if of is None else of
        asked = self._admin.list_offsets({TopicPartition(*place): OffsetSpec.latest() for place in places})
        return {(tp.topic, tp.partition): future.result(SECONDS).offset for tp, future in asked.items()}

    def read(self) -> dict[Position, Held]:
        """All records."""
        ends = self.ends()
        consumer = Consumer(self._config | {"group.id": "faults-reader", "enable.auto.commit": False})
        consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in ends])
        held: dict[Position, Held] = {}
        deadline = time.monotonic() + SECONDS
        try:
            while len(held) < sum(ends.values()):
                assert time.monotonic() < deadline, f"read {len(held)} of {sum(ends.values())} records"
                for message in consumer.consume(10_000, 0.2):
                    assert message.error() is None, message.error()
                    held[message.topic(), message.partition(), message.offset()] = Held(
                        int(dict(message.headers())[HEADER]), message.timestamp()[1], message.key(), message.value()
                    )
        finally:
            consumer.close()
        return held


def partitions() -> list[tuple[str, int]]:
    """All partitions of both topics."""
    return [(topic, partition) for topic, count in PARTITIONS.items() for partition in range(count)]


def log_records(held: Mapping[Position, Held], sent: list[Planned]) -> list[LogRecord]:
    """What the oracle reads: the meaning of each record is that with which it was sent."""
    return [
        LogRecord(
            topic, 1, partition, offset, at.append_time_ms, sent[at.number].record, sent[at.number].reason or "garbage"
        )
        for (topic, partition, offset), at in held.items()
    ]
