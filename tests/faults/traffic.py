"""The seeded load: events and orders with sequence numbers, and everything that can be wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from schemas.codec import encode_record
from schemas.partitioner import partition_for
from schemas.subjects import subject
from schemas.topics import TOPICS
from tests.oracle.records import DAY_MS, TRANSACTIONS, USER_EVENTS

MINUTE_MS = 60_000
PARTITIONS = {USER_EVENTS: 4, TRANSACTIONS: 2}
HORIZON_DAYS = 7
POOL = 150
KINDS = ("page_view", "page_view", "page_view", "click", "click", "add_to_cart", "purchase", "search")
CURRENCIES = ("EUR", "GBP", "JPY", "TND")
STATUSES = ("completed", "completed", "completed", "refunded", "pending", "cancelled")
# Pauses between events of a session in minutes: short, on both sides of the gap, back in time, and over a day's end.
PAUSES = (0.01, 0.1, 0.5, 1, 3, 10, 29.9, 30, 31, -5, -29, -31, 90, -600, 600)
WEIGHTS = (20, 20, 20, 15, 10, 5, 1, 1, 1, 2, 1, 1, 1, 0.3, 0.3)


@dataclass(frozen=True)
class Shape:
    """How many records out of one are of a kind.

    `late` happened days ago, `cold` before the horizon, `ahead` two hours from now (a dead letter). `resent` and
    `rewritten` repeat an id, the latter with another payload. `garbage` cannot be decoded. A record comes up to
    `shuffle` places after its turn.
    """

    orders: float = 0.12
    late: float = 0.02
    cold: float = 0.005
    ahead: float = 0.002
    resent: float = 0.01
    rewritten: float = 0.003
    garbage: float = 0.003
    shuffled: float = 0.1
    shuffle: int = 200


@dataclass(frozen=True)
class Planned:
    """A record to send. `value` is what goes on the wire, `record` what it means, None where nobody can decode it.

    `reason` is the reason code that its dead letter must carry, where it is known.
    """

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    record: Mapping[str, Any] | None
    reason: str | None = None


Encode = Callable[[str, int, Mapping[str, Any]], bytes]
"""(topic, version, record) -> the bytes on the wire."""


def encoder(schema_ids: Mapping[str, Mapping[int, int]]) -> Encode:
    """Encodes under the ids that the registry gave: topic -> version -> id."""

    def encode(topic: str, version: int, record: Mapping[str, Any]) -> bytes:
        contract = subject(str(TOPICS[topic].subject)).version(version)
        return encode_record(record, contract, schema_ids[topic][version])

    return encode


@dataclass
class Plan:
    """Draws records; session ids live for a while, and come back."""

    rng: Random
    now_ms: int
    encode: Encode
    shape: Shape
    name: str = "s"
    _clocks: dict[str, int] = field(default_factory=dict)
    _sequence: dict[str, int] = field(default_factory=dict)
    _made: list[Planned] = field(default_factory=list)
    _sessions: int = 0

    def records(self, count: int) -> list[Planned]:
        """The next records in the order in which they are to be sent."""
        made = [self._one() for _ in range(count)]
        return self._shuffled(made)

    def _shuffled(self, made: Sequence[Planned]) -> list[Planned]:
        places = [
            place + (self.rng.randrange(self.shape.shuffle) if self.rng.random() < self.shape.shuffled else 0)
            for place in range(len(made))
        ]
        return [made[place] for place in sorted(range(len(made)), key=places.__getitem__)]

    def _one(self) -> Planned:
        shape, draw = self.shape, self.rng.random()
        if draw < shape.garbage:
            return self._garbage()
        if self._made and draw < shape.garbage + shape.resent:
            return self.rng.choice(self._made)
        if self._made and draw < shape.garbage + shape.resent + shape.rewritten:
            return self._rewritten(self.rng.choice(self._made))
        made = self._order() if self.rng.random() < shape.orders else self._event()
        self._made.append(made)
        return made

    def _event(self) -> Planned:
        session = self._session()
        number = self._sequence[session] = self._sequence.get(session, 0) + 1
        tenant = "default" if session[-1] in "01234" else "north"
        page, product = self.rng.randrange(12), self.rng.randrange(40)
        properties = {"page": f"/p/{page}"} if self.rng.random() < 0.7 else {}
        if self.rng.random() < 0.6:
            properties["productId"] = f"p-{product}"
        value: dict[str, Any] = {
            "eventId": f"{session}-{number}",
            "userId": f"u-{hash_of(session) % 50}" if self.rng.random() < 0.6 else None,
            "sessionId": session,
            "eventType": self.rng.choice(KINDS),
            "timestamp": self._time(session),
            "properties": properties,
            "context": {
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0",
                "ip": f"192.0.2.{hash_of(session) % 250}",
                "platform": self.rng.choice(("web", "web", "ios")),
                "referrer": self.rng.choice((None, None, "https://search.example/")),
            },
        }
        return self._planned(USER_EVENTS, session, session, value, tenant)

    def _order(self) -> Planned:
        number = self.rng.randrange(max(20, len(self._made) // 3))
        user, unit = f"u-{number % 50}", self.rng.choice(CURRENCIES)
        price = self.rng.randrange(100, 20_000) / 100
        value: dict[str, Any] = {
            "transactionId": f"{self.name}-t-{number}",
            "userId": user,
            "orderItems": [{"productId": f"p-{number % 40}", "quantity": 2, "price": price, "category": "shoes"}],
            "totalAmount": 2 * price,
            "currency": unit,
            "paymentMethod": "card",
            "status": self.rng.choice(STATUSES),
            "timestamp": self._shifted(self.now_ms - self.rng.randrange(30 * 60) * MINUTE_MS),
        }
        return self._planned(TRANSACTIONS, value["transactionId"], user, value, ("default", "north")[number % 2])

    def _planned(self, topic: str, key: str, by: str, value: dict[str, Any], tenant: str) -> Planned:
        version = 1 if tenant == "default" and self.rng.random() < 0.3 else 2
        if version > 1:
            value["tenantId"] = tenant
        if version > 1 and topic == USER_EVENTS:
            value |= {"receivedAt": None, "experiments": {"checkout": "a"}}
        partition = partition_for(by.encode(), PARTITIONS[topic])
        return Planned(topic, partition, key.encode(), self.encode(topic, version, value), value)

    def _rewritten(self, of: Planned) -> Planned:
        """The same id again with another payload: counted, it would show."""
        assert of.record is not None
        change = {"totalAmount": 9e6} if of.topic == TRANSACTIONS else {"eventType": "purchase", "properties": {}}
        value = {**of.record, **change}
        version = 2 if "tenantId" in value else 1
        return Planned(of.topic, of.partition, of.key, self.encode(of.topic, version, value), value)

    def _garbage(self) -> Planned:
        topic = self.rng.choice((USER_EVENTS, USER_EVENTS, TRANSACTIONS))
        partition = self.rng.randrange(PARTITIONS[topic])
        # A compacted topic takes no record without a key.
        key = None if topic == USER_EVENTS else b"garbage"
        return Planned(topic, partition, key, b"\xff" + self.rng.randbytes(self.rng.randrange(40)), None)

    def _session(self) -> str:
        if not self._sessions or self.rng.random() < 0.04:
            self._sessions += 1
            session = f"{self.name}-{self._sessions}"
            self._clocks[session] = self.now_ms - self.rng.randrange(30 * 60) * MINUTE_MS
            return session
        oldest = 0 if self.rng.random() < 0.05 else max(0, self._sessions - POOL)
        return f"{self.name}-{self.rng.randrange(oldest, self._sessions) + 1}"

    def _time(self, session: str) -> int:
        [pause] = self.rng.choices(PAUSES, WEIGHTS)
        time = self._clocks[session] + round(pause * MINUTE_MS)
        self._clocks[session] = time = min(time, self.now_ms)
        return self._shifted(time)

    def _shifted(self, time: int) -> int:
        shape, draw = self.shape, self.rng.random()
        if draw < shape.late:
            return time - self.rng.randrange(1, 5) * DAY_MS
        if draw < shape.late + shape.cold:
            return time - (HORIZON_DAYS + self.rng.randrange(2, 5)) * DAY_MS
        if draw < shape.late + shape.cold + shape.ahead:
            return self.now_ms + 120 * MINUTE_MS
        return time


def hash_of(text: str) -> int:
    """A number that follows from the text alone."""
    return sum(ordinal * (place + 1) for place, ordinal in enumerate(text.encode()))
