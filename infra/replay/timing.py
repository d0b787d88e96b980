"""When records are said to have happened, and how fast they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date

from infra.messages import Message
from infra.simulator.faults import DAY_MS
from infra.simulator.truth import EPOCH

_TIMES = ("timestamp", "receivedAt")


def shifted(messages: Iterable[Message], first_day: date) -> Iterator[Message]:
    """The same records later or earlier by whole days, such that the first lies on `first_day` (UTC)."""
    by_ms: int | None = None
    for message in messages:
        if by_ms is None:
            by_ms = (first_day.toordinal() - EPOCH - message.send_time_ms // DAY_MS) * DAY_MS
        yield _later(message, by_ms)


def paced(
    messages: Iterable[Message], rate: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[Message]:
    """The same records, at most `rate` a second; a reader that is slower is not made to wait. `clock` in seconds."""
    began = clock()
    for number, message in enumerate(messages):
        if (early := began + number / rate - clock()) > 0:
            sleep(early)
        yield message


def _later(message: Message, by_ms: int) -> Message:
    if isinstance(message.value, bytes):
        raise TypeError("a message of raw bytes has no times")
    times = {name: message.value[name] + by_ms for name in _TIMES if message.value.get(name) is not None}
    return replace(message, value={**message.value, **times}, send_time_ms=message.send_time_ms + by_ms)
