"""A log of two event partitions and one order partition, to which seeded draws append."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.oracle.records import DAY_MS, TRANSACTIONS, USER_EVENTS, Log, LogRecord

MINUTE = 60_000
EVENT_LOGS = (Log(USER_EVENTS, 1, 0), Log(USER_EVENTS, 1, 1))
ORDER_LOG = Log(TRANSACTIONS, 1, 0)
LOGS = (*EVENT_LOGS, ORDER_LOG)
SESSIONS = ("s0", "s1", "s2", "s3")
FIRST_MIDNIGHT = 20_000 * DAY_MS
START = FIRST_MIDNIGHT + 22 * 60 * MINUTE


@dataclass
class TheLog:
    """All records, by partition; `clock` is the time of the next append, in ms."""

    horizon_days: int
    clock: int = START
    records: dict[Log, list[LogRecord]] = field(default_factory=lambda: {log: [] for log in LOGS})
    made: int = 0

    def all(self) -> list[LogRecord]:
        return [record for log in LOGS for record in self.records[log]]

    def end(self) -> dict[Log, int]:
        return {log: len(self.records[log]) for log in LOGS}

    def advance(self, rng: random.Random) -> None:
        """Moves the clock: a little, to just around midnight or the hour after it, or by a day."""
        draw, day = rng.random(), self.clock // DAY_MS
        if draw < 0.5:
            self.clock += rng.choice([1, 5, 12, 30]) * MINUTE
        elif draw < 0.8:
            marks = [(d * 1440 + m) * MINUTE for d in (day, day + 1) for m in (0, 5, 60, 66, 67, 1425)]
            self.clock = min(mark for mark in marks if mark > self.clock)
        else:
            self.clock += rng.choice([DAY_MS // 2, DAY_MS, DAY_MS])

    def produce(self, rng: random.Random) -> None:
        """Appends one to three events, or an order now and then."""
        for _ in range(rng.choice([1, 1, 2, 3])):
            if rng.random() < 0.15:
                self._append(ORDER_LOG, self._order(rng))
            else:
                value = self._event(rng)
                self._append(EVENT_LOGS[SESSIONS.index(value["sessionId"]) % 2], value, dead=rng.random() < 0.03)

    def event(
        self,
        at: int,
        session: str = "s0",
        kind: str = "page_view",
        event_id: str | None = None,
        product: str | None = None,
        user: str = "u0",
    ) -> None:
        """Appends one event that happened `at` minutes after the first midnight, in partition 0."""
        self.made += 1
        value: dict[str, object] = {
            "eventId": event_id or f"e{self.made}",
            "userId": user,
            "sessionId": session,
            "eventType": kind,
            "properties": {"productId": product} if product else {},
            "context": {"userAgent": "", "ip": "", "platform": "web", "referrer": None},
            "tenantId": "t0",
            "timestamp": FIRST_MIDNIGHT + at * MINUTE,
        }
        self._append(EVENT_LOGS[0], value)

    def order(self, at: int) -> None:
        """Appends one completed order of so many minutes after the first midnight."""
        self.made += 1
        self._append(ORDER_LOG, _order(f"x{self.made}", FIRST_MIDNIGHT + at * MINUTE))

    def _append(self, log: Log, value: dict[str, object], dead: bool = False) -> None:
        part = self.records[log]
        appended = max(self.clock, part[-1].append_time_ms) if part else self.clock
        part.append(LogRecord(*log, len(part), appended, None if dead else value, "broken" if dead else ""))

    def _event(self, rng: random.Random) -> dict[str, object]:
        self.made += 1
        value: dict[str, object] = {
            "eventId": f"e{self.made}",
            "userId": rng.choice([None, None, "u0", "u1"]),
            "sessionId": rng.choice(SESSIONS),
            "eventType": rng.choice(["page_view", "page_view", "click", "purchase", "add_to_cart", "search"]),
            "properties": rng.choice([{}, {"page": "/a"}, {"page": "/b", "productId": "p0"}, {"productId": "p1"}]),
            "context": {
                "userAgent": "",
                "ip": "",
                "platform": rng.choice(["web", "ios"]),
                "referrer": rng.choice([None, "r"]),
            },
            "tenantId": "t0" if rng.random() < 0.9 else "t1",
        }
        return value | self._when(rng, value)

    def _when(self, rng: random.Random, value: dict[str, object]) -> dict[str, object]:
        """A time, and whose: repeats, neighbours of known events, and the edges of days are likely."""
        old = [r for log in EVENT_LOGS for r in self.records[log] if r.value]
        draw, day = rng.random(), self.clock // DAY_MS
        edges = [-45, -30, -16, -15, -1, 0, 1, 14, 15, 29, 44]
        if draw < 0.4 and old:
            other = dict(rng.choice(old).value or {})
            if draw < 0.15:
                shift = rng.choice([0, 0, 0, -1445, -40, 20, 1445])
                return other | {"timestamp": min(other["timestamp"] + shift * MINUTE, self.clock)}
            near = other["timestamp"] + rng.choice([-31, -30, -29, -20, -5, 0, 5, 20, 29, 30, 31]) * MINUTE
            return {"sessionId": other["sessionId"], "tenantId": other["tenantId"], "timestamp": min(near, self.clock)}
        if draw < 0.6:
            stamp = (day * 1440 + rng.choice(edges)) * MINUTE
        elif draw < 0.75:
            stamp = ((day - rng.choice([1, 1, 2])) * 1440 + rng.choice(edges)) * MINUTE
        elif draw < 0.85:
            far = self.horizon_days + rng.choice([0, 1, 2])
            stamp = ((day - far) * 1440 + rng.choice(edges)) * MINUTE
        else:
            stamp = self.clock - rng.choice([-70, -12, 0, 0, 1, 5, 20, 60]) * MINUTE
            return {"timestamp": stamp}
        return {"timestamp": min(stamp, self.clock)}

    def _order(self, rng: random.Random) -> dict[str, object]:
        self.made += 1
        old = [r for r in self.records[ORDER_LOG] if r.value]
        if old and rng.random() < 0.3:
            other = dict(rng.choice(old).value or {})
            return other if rng.random() < 0.6 else other | {"status": "refunded"}
        ago = rng.choice([0, 0, 30, 1440, 2880, (self.horizon_days + 1) * 1440])
        return _order(f"x{self.made}", self.clock - ago * MINUTE) | {
            "userId": rng.choice(["u0", "u1"]),
            "totalAmount": rng.choice([1.0, 2.5, 10.115]),
            "currency": rng.choice(["EUR", "JPY"]),
            "status": rng.choice(["completed", "completed", "refunded", "pending"]),
        }


def _order(transaction_id: str, timestamp: int) -> dict[str, object]:
    return {
        "transactionId": transaction_id,
        "userId": "u0",
        "orderItems": [],
        "totalAmount": 2.5,
        "currency": "EUR",
        "paymentMethod": "card",
        "status": "completed",
        "timestamp": timestamp,
        "tenantId": "t0",
    }
