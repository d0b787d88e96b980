"""Messages that were never sent, as the log records they would have become."""

from collections import Counter
from collections.abc import Iterable, Iterator
from zlib import crc32

from infra.messages import Message
from tests.oracle.records import LogRecord


def as_log(messages: Iterable[Message], partitions: int = 3) -> Iterator[LogRecord]:
    """Yield a log record for each message, received when it was sent; bytes and damaged values are undecodable.

    Which partition a message gets is not Kafka's choice, but like there it follows from the partition key alone.
    """
    ends: Counter[tuple[str, int]] = Counter()
    for message in messages:
        partition = crc32(message.partition_key.encode()) % partitions
        offset = ends[message.topic, partition]
        ends[message.topic, partition] += 1
        bad = isinstance(message.value, bytes) or message.damage is not None
        yield LogRecord(
            message.topic,
            1,
            partition,
            offset,
            message.send_time_ms,
            None if bad or isinstance(message.value, bytes) else message.value,
            (message.damage or "garbage") if bad else "",
        )
