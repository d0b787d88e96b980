"""What goes wrong on the way: records that come late, out of order, twice, or broken."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from infra.messages import TRANSACTIONS, Message
from infra.simulator.values import new_id

SECOND_MS, MINUTE_MS, DAY_MS = 1_000, 60_000, 86_400_000
LATEST_DAYS = 5
AHEAD_MS = 2 * DAY_MS
KINDS = ("garbage", "truncated", "unknown_schema_id", "ahead", "blank_id")


@dataclass(frozen=True)
class Shares:
    """How many records out of one (0 to 1 each) are of schema version 1, or meet one of the faults.

    resent: sent again as they are. rewritten: the same id again with another payload. late: received minutes to 5 days
    after they happened. out_of_order: up to a minute after. broken: followed by a record that cannot be used. resumed
    (of visits): the same session id comes back after 30 minutes or more.
    """

    version_1: float = 0.3
    resent: float = 0.01
    rewritten: float = 0.003
    late: float = 0.01
    out_of_order: float = 0.05
    broken: float = 0.002
    resumed: float = 0.03


GENTLE = Shares(resent=0, rewritten=0, late=0, out_of_order=0, broken=0, resumed=0)
"""Nothing goes wrong."""


def send_time(rng: Random, shares: Shares, time_ms: int, now_ms: int) -> int:
    """Draw when a record that happened at `time_ms` is received, by `now_ms` at the latest."""
    delay = late_by(rng, shares)
    return min(time_ms + (rng.randrange(20, 2 * SECOND_MS) if delay is None else delay), now_ms)


def late_by(rng: Random, shares: Shares) -> int | None:
    """Draw how much too late a record is received, in milliseconds; None for one that comes in time."""
    draw = rng.random()
    if draw < shares.late:
        return int(MINUTE_MS * math.exp(rng.uniform(0, math.log(LATEST_DAYS * DAY_MS / MINUTE_MS))))
    return rng.randrange(MINUTE_MS) if draw < shares.late + shares.out_of_order else None


def duplicates(rng: Random, shares: Shares, message: Message, now_ms: int) -> Iterator[Message]:
    """Yield the copies of a message that must not count, each sent after it."""
    draw = rng.random()
    if draw >= shares.resent + shares.rewritten:
        return
    later = min(message.send_time_ms + int(SECOND_MS * math.exp(rng.uniform(0, math.log(3_600)))), now_ms)
    if draw < shares.resent:
        yield replace(message, send_time_ms=later)
    else:
        yield replace(message, send_time_ms=later, value=rewritten(message))


def rewritten(message: Message) -> dict[str, Any]:
    """Return the value of a message with its identity kept and its payload changed, so that counting it would show."""
    value = value_of(message)
    if message.topic == TRANSACTIONS:
        return value | {"totalAmount": value["totalAmount"] + 1_000.0, "paymentMethod": "rewritten"}
    return value | {"eventType": "purchase", "properties": {"productId": "rewritten", "page": "/rewritten"}}


def broken(rng: Random, shares: Shares, message: Message, now_ms: int) -> Iterator[Message]:
    """Yield records like a message, but with an id of their own, that no reader can or may use."""
    if rng.random() >= shares.broken:
        return
    kind = rng.choice(KINDS)
    id_field = "transactionId" if message.topic == TRANSACTIONS else "eventId"
    value = value_of(message) | {id_field: new_id(rng)}
    if kind == "garbage":
        yield replace(message, value=rng.randbytes(rng.randrange(1, 40)))
    elif kind == "truncated":
        yield replace(message, value=value, damage="truncated")
    elif kind == "unknown_schema_id":
        yield replace(message, value=value, damage="unknown_schema_id")
    elif kind == "ahead":
        yield replace(message, value=value | {"timestamp": now_ms + AHEAD_MS})
    else:
        yield replace(message, value=value | {id_field: ""})


def value_of(message: Message) -> dict[str, Any]:
    """Return a copy of the value of a message that is not bytes."""
    if isinstance(message.value, bytes):
        raise TypeError("a message of raw bytes has no fields")
    return dict(message.value)
