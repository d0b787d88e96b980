"""Ranges of a topic as raw records, read by the client library that all our Python processes use."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from typing import Any

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, Message, TopicPartition

from batch.log import LogUnavailable

SILENCE_SECONDS = 60.0
"""How long Kafka may bring nothing before the reading is given up."""
POLL_SECONDS = 0.1
"""The client waits as long for a whole batch, also where a partition has ended: a landing of little is mostly this."""
RECORDS = 20_000
"""Records of a partition that are judged at once."""
_READ = {
    "group.id": "rivermeet-batch",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    # As the speed layer reads: both must count the same records.
    "isolation.level": "read_uncommitted",
    "check.crcs": True,
    "fetch.wait.max.ms": 50,
    "max.partition.fetch.bytes": 4 << 20,
    "queued.max.messages.kbytes": 64 << 10,
    "log_level": 0,
}


class NotAppendTime(Exception):
    """A record does not carry the log append time. Set message.timestamp.type=LogAppendTime on the topic."""

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(f"topic {topic}, partition {partition}: set message.timestamp.type=LogAppendTime on the topic")
        self.topic, self.partition = topic, partition


@dataclass(frozen=True)
class Span:
    """The records of one partition with offsets in [`start`, `end`)."""

    partition: int
    start: int
    end: int

    @property
    def offsets(self) -> int:
        """How many offsets it has."""
        return self.end - self.start


@dataclass(frozen=True)
class RawRecords:
    """Records of one partition in the order of their offsets. Append times are in ms and never fall."""

    topic: str
    epoch: int
    partition: int
    offsets: list[int]
    append_times: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]


@dataclass
class _Waiting:
    """What was read of one partition and not handed on yet."""

    span: Span
    floor: int
    offsets: list[int] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)

    def take(self, messages: Sequence[Message], topic: str) -> bool:
        """Keeps the messages of the span; answers whether its end was reached."""
        offsets = [message.offset() for message in messages]
        kept = messages[: bisect_left(offsets, self.span.end)]
        stamps = [message.timestamp() for message in kept]
        if any(kind != TIMESTAMP_LOG_APPEND_TIME for kind, _ in stamps):
            raise NotAppendTime(topic, self.span.partition)
        self.offsets += offsets[: len(kept)]
        self.stamps += [stamp for _, stamp in stamps]
        self.keys += [message.key() for message in kept]
        self.values += [message.value() for message in kept]
        return bool(offsets[-1] >= self.span.end - 1)

    def give(self, topic: str, epoch: int) -> RawRecords:
        """Hands on what waits. A time is the greatest at or below its offset, as brokers' clocks may step back."""
        times = list(accumulate(self.stamps, max, initial=self.floor))[1:]
        given = RawRecords(topic, epoch, self.span.partition, self.offsets, times, self.keys, self.values)
        self.floor = times[-1]
        self.offsets, self.stamps, self.keys, self.values = [], [], [], []
        return given


def consume(
    client: Mapping[str, str], topic: str, epoch: int, spans: Sequence[Span], floors: Mapping[int, int]
) -> Iterator[RawRecords]:
    """The records of the spans, a bounded number at a time; of a partition in order, partitions in any.

    `floors`: partition -> greatest append time (ms) below its span. Offsets without a record (compacted, or a
    transaction's end) are passed over. Raises `LogUnavailable`, `NotAppendTime`.
    """
    waiting = {span.partition: _Waiting(span, floors.get(span.partition, 0)) for span in spans if span.offsets}
    consumer: Any = Consumer({**client, **_READ})
    try:
        consumer.assign([TopicPartition(topic, p, one.span.start) for p, one in waiting.items()])
        while waiting:
            for partition, ended in _next(consumer, topic, waiting):
                one = waiting[partition]
                if one.offsets and (ended or len(one.offsets) >= RECORDS):
                    yield one.give(topic, epoch)
                if ended:
                    del waiting[partition]
                    consumer.incremental_unassign([TopicPartition(topic, partition)])
    finally:
        consumer.close()


def _next(consumer: Any, topic: str, waiting: Mapping[int, _Waiting]) -> Iterator[tuple[int, bool]]:
    """Takes in what Kafka brings next: (partition, whether its end was reached) for each that something came of."""
    deadline = time.monotonic() + SILENCE_SECONDS
    while not (messages := consumer.consume(RECORDS, POLL_SECONDS)):
        if time.monotonic() > deadline:
            raise LogUnavailable(topic, f"nothing came for {SILENCE_SECONDS:.0f} s")
    for partition, run in groupby(messages, Message.partition):
        if partition not in waiting:
            continue
        records, ended = [], False
        for message in run:
            if message.error() is None:
                records.append(message)
            else:
                ended |= _is_end(message.error(), topic)
        reached = bool(records) and waiting[partition].take(records, topic)
        yield partition, ended or reached


def _is_end(error: KafkaError, topic: str) -> bool:
    """Whether the end of the partition was meant. Raises `LogUnavailable` for errors that end the reading."""
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    if error.fatal() or not error.retriable():
        raise LogUnavailable(topic, str(error))
    return False
