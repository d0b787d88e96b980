"""What can stop the speed layer, named for what is to be done about it."""

from collections.abc import Sequence

from streams.slices import Slice


class StreamsError(Exception):
    """Base of the errors of this package."""


class TickFailed(StreamsError):
    """The engine cannot process these slices. Mend the cause, then start the worker again: they are read again."""

    def __init__(self, slices: Sequence[Slice], attempts: int, reason: str) -> None:
        self.slices, self.attempts, self.reason = slices, attempts, reason
        super().__init__(
            f"a tick failed {attempts} times ({reason}); nothing of it is committed, and a restarted worker reads it "
            f"again once the cause is mended. Slices: {', '.join(map(str, slices))}"
        )


class TickStuck(StreamsError):
    """A tick neither ended nor failed within its deadline. Start the worker again."""

    def __init__(self, slices: Sequence[Slice], seconds: float) -> None:
        self.slices, self.seconds = slices, seconds
        super().__init__(
            f"a tick has not ended after {seconds:.0f} s; nothing of it is committed, restart the worker. "
            f"Slices: {', '.join(map(str, slices))}"
        )


class LogRefused(StreamsError):
    """An input topic is not one the worker may read."""

    def __init__(self, topic: str, message: str) -> None:
        self.topic = topic
        super().__init__(f"topic {topic}: {message}")


class AnotherLog(LogRefused):
    """The topic is not the log that was stored: made anew, or cut back. Begin a new epoch, or restore the log."""

    def __init__(self, topic: str, found: str) -> None:
        super().__init__(
            topic, f"{found}, so this is not the log that was read before. Restore that one, or begin a new epoch"
        )


class PartitionsChanged(LogRefused):
    """The partition count differs from that of the epoch, so keys have moved. Begin a new epoch with a new topic."""

    def __init__(self, topic: str, expected: int, found: int) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            topic, f"has {found} partitions and its epoch has {expected}. Make a new topic and begin a new epoch for it"
        )


class NotAppendTime(LogRefused):
    """A record does not carry the log append time. Set message.timestamp.type=LogAppendTime on the topic."""

    def __init__(self, topic: str, partition: int, offset: int) -> None:
        self.partition, self.offset = partition, offset
        super().__init__(
            topic, f"record {partition}/{offset} carries the producer's time; set message.timestamp.type=LogAppendTime"
        )


class OverlappingSlice(StreamsError):
    """A slice begins before the end of the one delivered ahead of it. Restart the worker: it reads from its commit."""

    def __init__(self, item: Slice, delivered: int) -> None:
        self.item, self.delivered = item, delivered
        super().__init__(f"slice {item} begins below {delivered}, which was delivered before: restart the worker")
