"""The way into Kafka: messages are handed over, and a batch is done when Kafka has acknowledged all of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from functools import lru_cache
from typing import Any

from confluent_kafka import KafkaException, Producer

from infra.settings import Settings
from schemas.codec import writer_schema
from schemas.partitioner import partition_for
from schemas.registry import IncompatibleVersion, Registry, RegistryUnavailable
from schemas.subjects import subject
from schemas.topics import Topic
from serving.gate.judging import Outgoing, Target

DELIVERY_SECONDS = 10.0
MAX_IN_FLIGHT = 50_000
_METADATA_SECONDS = 3.0
_REGISTRY_SECONDS, _REGISTRY_RETRIES = 2.0, 1
_POLL_SECONDS = 0.1
_AGAIN_SECONDS = 2.0
_PARTITIONS_REMEMBERED = 65_536
_PRODUCER: dict[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 5,
    "queue.buffering.max.messages": 2 * MAX_IN_FLIGHT,
    "message.timeout.ms": int(DELIVERY_SECONDS * 1000),
    # What matters comes as an error; librdkafka would tell every attempt on standard error too.
    "log_level": 0,
}


class LogUnavailable(Exception):
    """Kafka or the registry gives no answer now; the same batch may be sent again."""


class Crowded(Exception):
    """More records wait for Kafka than may; the batch was not taken and may be sent again a moment later."""


class Outlet:
    """One producer and the thread that hears its acknowledgements, both made when first needed."""

    def __init__(self, settings: Settings, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self._settings = settings
        self._max_in_flight = max_in_flight
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._producer: Any = None
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._targets: dict[str, Target] = {}
        self._failed_at = float("-inf")
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """Records handed over that Kafka has not acknowledged yet."""
        return self._in_flight

    def target(self, topic: Topic) -> Target:
        """What records of the topic need to be encoded and placed. Raises LogUnavailable.

        Kafka itself tells the number of partitions: a wrong count would tear sessions apart. After a failure nobody
        asks again for a moment, so that callers do not queue up behind a server that is away.
        """
        with self._opening:
            if topic.name not in self._targets:
                if time.monotonic() - self._failed_at < _AGAIN_SECONDS:
                    raise LogUnavailable("Kafka or the schema registry did not answer a moment ago")
                self._targets[topic.name] = self._ask(topic)
            return self._targets[topic.name]

    def _ask(self, topic: Topic) -> Target:
        try:
            count = self._partitions(topic)
            schema_id = self._registered(topic)
        except (KafkaException, RegistryUnavailable, IncompatibleVersion, LogUnavailable) as error:
            self._failed_at = time.monotonic()
            raise LogUnavailable(str(error)) from error
        contract = writer_schema(schema_id, subject(str(topic.subject)).latest.text)

        @lru_cache(_PARTITIONS_REMEMBERED)
        def place(value: str) -> int:
            return partition_for(value.encode(), count)

        return Target(schema_id, {schema_id: contract}, place)

    def _partitions(self, topic: Topic) -> int:
        about = self._open().list_topics(topic.name, timeout=_METADATA_SECONDS).topics[topic.name]
        if about.error is not None:
            raise LogUnavailable(about.error.str())
        return len(about.partitions)

    def _registered(self, topic: Topic) -> int:
        registry = Registry(self._settings.registry.url, _REGISTRY_SECONDS, _REGISTRY_RETRIES)
        return registry.register(topic)[subject(str(topic.subject)).latest.version]

    def send(self, topic: Topic, messages: Sequence[Outgoing]) -> Future[str | None]:
        """Hand a batch over. The future's result is None once all is acknowledged, or why some of it is not.

        Raises Crowded; then nothing of the batch was taken.
        """
        with self._lock:
            if self._in_flight + len(messages) > self._max_in_flight:
                raise Crowded
            self._in_flight += len(messages)
        receipt = _Receipt(self, len(messages))
        producer = self._open()
        for message in messages:
            try:
                producer.produce(topic.name, message.value, message.key, message.partition, receipt.heard)
            except (BufferError, KafkaException) as error:
                receipt.heard(error, None)
        return receipt.done

    def _open(self) -> Any:
        if self._producer is None:
            self._producer = Producer(self._settings.kafka.client_config() | _PRODUCER)
            self._thread = threading.Thread(target=self._listen, name="gate-acknowledgements", daemon=True)
            self._thread.start()
        return self._producer

    def _listen(self) -> None:
        while not self._ending.is_set():
            self._producer.poll(_POLL_SECONDS)

    def landed(self, count: int) -> None:
        """Kafka has answered for this many records."""
        with self._lock:
            self._in_flight -= count

    def close(self) -> None:
        """Waits, with an end, for what is on its way."""
        if self._producer is None or self._thread is None:
            return
        self._producer.flush(DELIVERY_SECONDS)
        self._ending.set()
        self._thread.join(DELIVERY_SECONDS)


class _Receipt:
    """Counts the acknowledgements of one batch."""

    def __init__(self, outlet: Outlet, count: int) -> None:
        self._outlet, self._left, self._count = outlet, count, count
        self._lock = threading.Lock()
        self._why: str | None = None
        self.done: Future[str | None] = Future()
        if count == 0:
            self.done.set_result(None)

    def heard(self, error: object, _record: object) -> None:
        """Kafka's answer for one record."""
        with self._lock:
            self._left -= 1
            if error is not None:
                self._why = str(error)
            finished = self._left == 0
        if finished:
            self._outlet.landed(self._count)
            self.done.set_result(self._why)
