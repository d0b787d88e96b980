"""Where messages wait for their time, and meet what goes wrong on the way."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from infra.messages import Message
from infra.simulator.faults import Shares, broken, duplicates
from infra.simulator.truth import Truth


@dataclass
class Outbox:
    """Messages on their way; of those sent at one millisecond the one put in first goes first."""

    rng: Random
    shares: Shares
    now_ms: int
    truth: Truth
    _waiting: list[Message] = field(default_factory=list)

    def put(self, message: Message) -> None:
        """Put in a good message, and the duplicates and broken records that follow it."""
        self._add(message)
        for copy in duplicates(self.rng, self.shares, message, self.now_ms):
            self.truth.duplicates[message.topic] += 1
            self._add(copy)
        for wreck in broken(self.rng, self.shares, message, self.now_ms):
            self.truth.dead_letters[message.topic] += 1
            self._add(wreck)

    def _add(self, message: Message) -> None:
        self.truth.sent[message.topic] += 1
        self._waiting.append(message)

    def sent_before(self, limit_ms: int) -> Iterator[Message]:
        """Take out the messages sent before a time, in send order."""
        self._waiting.sort(key=by_send_time)
        waiting = self._waiting
        self._waiting = [message for message in waiting if message.send_time_ms >= limit_ms]
        yield from waiting[: len(waiting) - len(self._waiting)]


def by_send_time(message: Message) -> int:
    """Return when a message is sent; sorting by it keeps the order of those sent together."""
    return message.send_time_ms
