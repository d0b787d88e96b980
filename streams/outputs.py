"""What other programs read from Kafka: rows of some tables as Avro, at least once, before the progress is written.

Each row has a key and a version (`asOf`, or the offset of the record itself): of equal keys the greatest version
counts, and equal versions are equal rows. So a consumer that keeps the greatest is right after any replay.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from confluent_kafka import KafkaError, KafkaException, Producer

from schemas.codec.encode import encode_columns
from schemas.rules import RULES_VERSION
from schemas.subjects import subject
from schemas.topics import (
    ALERTS,
    DEAD_LETTERS,
    MAX_RECORD_BYTES,
    PRODUCT_POPULARITY,
    SESSION_METRICS,
    USER_SIGHTINGS,
    Topic,
)
from streams.writes import Write

DELIVERY_SECONDS = 10.0
_POLL_SECONDS = 0.05
_ROOM = 4_096
"""What a dead letter may take beside the bytes of its record."""
_BY_KEY = -1
"""No partition in particular: the client chooses by the key."""
_PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",
    "compression.type": "lz4",
    "linger.ms": 5,  # the records of a table come at once
    "batch.size": 256 * 1024,
    "queue.buffering.max.messages": 200_000,
    "message.max.bytes": MAX_RECORD_BYTES,
    "delivery.report.only.error": True,
    "log_level": 0,
}


class OutputUnavailable(Exception):
    """Kafka did not acknowledge the rows of a tick in time; the same tick may be tried again later."""

    def __init__(self, waiting: int, why: str) -> None:
        super().__init__(f"Kafka did not acknowledge {waiting} output records: {why}")
        self.waiting, self.why = waiting, why

    def __reduce__(self) -> tuple[type[OutputUnavailable], tuple[int, str]]:
        return type(self), (self.waiting, self.why)


@dataclass(frozen=True)
class Output:
    """The topic that takes the rows of a table, and how a row becomes one of its records."""

    topic: Topic
    key: str
    columns: tuple[pl.Expr, ...] = ()


def _raw(name: str) -> pl.Expr:
    """Bytes as they were; of a record that fills the topic's bound by itself they are in the table only."""
    return pl.when(pl.col("value").bin.size() <= MAX_RECORD_BYTES - _ROOM).then(pl.col(name)).alias(name)


OUTPUTS: Mapping[str, Output] = {
    "speed_sessions": Output(SESSION_METRICS, "session_id"),
    "speed_products": Output(PRODUCT_POPULARITY, "product_id"),
    "speed_alerts": Output(ALERTS, "entity"),
    "speed_sightings": Output(USER_SIGHTINGS, "user_id"),
    "speed_dead_letters": Output(
        DEAD_LETTERS,
        "log_topic",
        (pl.col("topic").alias("log_topic"), pl.lit(RULES_VERSION).alias("rules_version"), _raw("value")),
    ),
}
"""Table of `streams.writes` -> where its rows go too."""


class Outputs:
    """Sends rows as they are written, and tells when all of them are acknowledged. Used by one thread at a time."""

    def __init__(
        self,
        client_config: Mapping[str, str],
        seconds: float = DELIVERY_SECONDS,
        outputs: Mapping[str, Output] = OUTPUTS,
    ) -> None:
        timeout = {"message.timeout.ms": int(seconds * 1_000)}
        self._config = dict(client_config) | _PRODUCER | timeout
        self._seconds, self._outputs = seconds, outputs
        self._producer: Any = None
        self._failures: list[KafkaError] = []

    def send(self, write: Write, schema_id: int) -> None:
        """Hands over the rows of a table that has a topic, whose contract has this id. Raises OutputUnavailable."""
        output = self._outputs[write.table]
        contract = subject(str(output.topic.subject)).latest
        rows = write.rows.with_columns(output.columns)
        keys = rows[output.key].cast(pl.String).cast(pl.Binary).to_list()
        self._produce(output.topic.name, keys, encode_columns(rows, contract, schema_id))

    def confirm(self) -> None:
        """Waits until all that was sent is acknowledged by all replicas. Raises OutputUnavailable.

        What was not acknowledged is given up here: the tick is tried again, and sends it again.
        """
        if self._producer is None:
            return
        left = self._producer.flush(self._seconds)
        if left or self._failures:
            why = self._failures[0].str() if self._failures else f"no answer within {self._seconds:.0f} s"
            self._give_up(left + len(self._failures), why)

    def _produce(self, topic: str, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        deadline = time.monotonic() + self._seconds
        for key, value in zip(keys, values, strict=True):
            while not self._takes(topic, key, value):
                if time.monotonic() > deadline:
                    self._give_up(len(values), "it takes no more")
                self._producer.poll(_POLL_SECONDS)
        self._producer.poll(0)

    def _takes(self, topic: str, key: bytes, value: bytes) -> bool:
        """False while the queue is full."""
        if self._producer is None:
            self._producer = Producer(self._config)
        try:
            self._producer.produce(topic, value, key, _BY_KEY, self._on_failure)
        except BufferError:
            return False
        except KafkaException as error:
            self._give_up(1, error.args[0].str())
        return True

    def _on_failure(self, error: KafkaError | None, _record: object) -> None:
        if error is not None:
            self._failures.append(error)

    def _give_up(self, waiting: int, why: str) -> None:
        """A producer that lost a record, or met a fatal error, is of no more use; what it holds must not come later."""
        self._producer.purge()
        self._producer, self._failures = None, []
        raise OutputUnavailable(waiting, why)
