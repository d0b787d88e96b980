"""A small log that both layers have worked on: the real speed engine, and real publications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from batch.coverage import Coverage
from batch.fold import count_by_day, event_tables, fold_events, order_tables
from batch.publication import new_version
from batch.publish import Candidate, compare, load, publish
from batch.results import RESULT_TABLES
from infra.clients.clickhouse import Client, insert
from schemas.lateness import Horizon
from schemas.sessions import SessionRules
from schemas.tables.lake import to_arrow
from streams.engine import Engine
from streams.progress import BEGINNING_COLUMNS
from streams.records import Range, Records
from streams.slices import Slice
from tests.merge.frames import dead_letter_frame, event_frame, order_frame, time_of
from tests.merge.ticks import writes
from tests.oracle.records import TRANSACTIONS, USER_EVENTS, LogRecord

RULES = SessionRules()
HORIZON = Horizon(7)
TOPICS = {"events": USER_EVENTS, "orders": TRANSACTIONS}
NO_REACH = pl.DataFrame(schema={"log_partition": pl.Int32, "event_days": pl.List(pl.Date), "last_offset": pl.Int64})


def at(day: date, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def _no_slices(slices: Sequence[Slice]) -> Records:
    raise AssertionError("records are handed to the engine directly")


@dataclass
class Feed:
    """One partition of each topic. `applied` is what the speed layer has written."""

    client: Client
    records: dict[str, list[LogRecord]] = field(default_factory=lambda: {topic: [] for topic in TOPICS.values()})
    applied: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOPICS.values(), 0))
    published: int = 0

    def __post_init__(self) -> None:
        self._engine = Engine((self.client, self.client), _no_slices, RULES, HORIZON)

    def event(self, time: datetime, appended: datetime | None = None, **values: Any) -> None:
        value = {
            "eventId": f"e{len(self.records[USER_EVENTS])}",
            "userId": "u1",
            "sessionId": "s1",
            "eventType": "page_view",
            "properties": {"page": "/", "productId": values.pop("product", "sku-1")},
            "context": {"userAgent": "", "ip": "", "platform": "web", "referrer": None},
            "tenantId": "acme",
        }
        self._append(USER_EVENTS, time, appended or time, value | values)

    def order(self, time: datetime, **values: Any) -> None:
        value = {
            "transactionId": f"x{len(self.records[TRANSACTIONS])}",
            "userId": "u1",
            "orderItems": [],
            "totalAmount": 10.0,
            "currency": "EUR",
            "paymentMethod": "card",
            "status": "completed",
            "tenantId": "acme",
        }
        self._append(TRANSACTIONS, time, time, value | values)

    def _append(self, topic: str, time: datetime, appended: datetime, value: dict[str, Any]) -> None:
        log = self.records[topic]
        value = value | {"timestamp": _ms(time)}
        log.append(LogRecord(topic, 1, 0, len(log), _ms(appended), value))

    def apply(self) -> None:
        """The speed layer reads to the end, a tick per day of append time."""
        while todo := [r for topic, log in self.records.items() for r in log[self.applied[topic] :]]:
            day = min(time_of(record.append_time_ms).date() for record in todo)
            self._tick([record for record in todo if time_of(record.append_time_ms).date() == day])

    def _tick(self, taken: list[LogRecord]) -> None:
        ranges = []
        for topic in self.records:
            part = [record for record in taken if record.topic == topic]
            if part:
                times = time_of(part[0].append_time_ms), time_of(part[-1].append_time_ms)
                ranges.append(Range(topic, 1, 0, part[0].offset, part[-1].offset + 1, *times))
                self.applied[topic] = part[-1].offset + 1
        records = Records(tuple(ranges), event_frame(taken), order_frame(taken), dead_letter_frame(taken))
        for write in writes(self._engine, records):
            insert(self.client, write.table, write.rows)

    def publish(self, dataset: str, *days: date) -> None:
        """The batch layer lands everything and publishes the days."""
        log = self.records[TOPICS[dataset]]
        self.published += 1
        coverage = Coverage(1, {0: len(log)}, at(max(days) + timedelta(days=1), 3))
        moving, reach = frozenset(days), NO_REACH
        if dataset == "events":
            used, reach = fold_events(event_frame(log), RULES)
            tables = event_tables(used, reach, moving)
        else:
            tables = order_tables(order_frame(log), moving)
        version = new_version(self.published, 1)
        for table, rows in tables.items():
            load(self.client, table, [to_arrow(rows, RESULT_TABLES[table])], version)
        compare(self.client, count_by_day(tables), moving, version)
        candidate = Candidate(dataset, moving, version, 2**62 + self.published, coverage, RULES.definition, reach)
        publish(self.client, candidate, f"p{self.published}", HORIZON, coverage.taken_at)

    def lose(self, dataset: str, complete_from: int, until: date) -> None:
        """The speed store of the dataset was lost: it is complete only from an offset on, and knows it."""
        topic = TOPICS[dataset]
        row = {
            "topic": topic,
            "log_epoch": 1,
            "log_partition": 0,
            "applied": len(self.records[topic]) + complete_from + 1,
            "complete_from": complete_from,
            "hole_until": until,
            "watermark": at(until),
            "append_time": at(until),
        }
        columns = {
            "hole_until": pl.Date(),
            "watermark": pl.Datetime("ms", "UTC"),
            "append_time": pl.Datetime("ms", "UTC"),
        }
        progress = pl.DataFrame([row], schema_overrides=columns)
        insert(self.client, "speed_beginnings", progress.select(BEGINNING_COLUMNS))
        insert(self.client, "speed_progress", progress)


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
