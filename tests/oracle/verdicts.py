"""Verdicts, in their order: dead letter, duplicate, cold, used. Functions of the log and the rules alone."""

import math
import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

from tests.oracle.records import TRANSACTIONS, Log, LogRecord, Position, tenant_of, utc_day

Verdict = Literal["dead_letter", "duplicate", "cold", "used"]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
YEAR_2000_MS = 946_684_800_000
STATUSES = ("completed", "refunded", "pending", "cancelled")
CURRENCY = re.compile("[A-Z]{3}")
IDS = {"user-events": ("eventId", "sessionId"), TRANSACTIONS: ("transactionId", "userId")}


@dataclass(frozen=True)
class Rules:
    """The settings that an answer depends on."""

    gap_ms: int = 30 * MINUTE_MS
    horizon_days: int = 7
    ahead_ms: int = HOUR_MS
    overlong_ms: int = 24 * HOUR_MS
    unique_pages: int = 1_000
    products: int = 100
    experiments: int = 20


@dataclass(frozen=True)
class Judged:
    """Every record's verdict by position, the reasons of the dead ones, and the records that facts are made of."""

    verdicts: dict[Position, Verdict]
    reasons: dict[Position, str]
    facts: list[LogRecord]


def in_log_order(records: Iterable[LogRecord]) -> list[LogRecord]:
    """Sort by position, each position once, append times made the greatest at or below the offset."""
    by_position = {record.position: record for record in records}
    newest: dict[Log, int] = {}
    ordered = []
    for position in sorted(by_position):
        record = by_position[position]
        newest[record.log] = max(record.append_time_ms, newest.get(record.log, record.append_time_ms))
        ordered.append(replace(record, append_time_ms=newest[record.log]))
    return ordered


def judge(records: Iterable[LogRecord], rules: Rules) -> Judged:
    """Give each record its verdict. A cold record is a fact like any other."""
    judged = Judged({}, {}, [])
    seen: set[Hashable] = set()
    for record in in_log_order(records):
        reason = why_dead(record, rules)
        if reason:
            judged.verdicts[record.position] = "dead_letter"
            judged.reasons[record.position] = reason
            continue
        identity = identity_of(record)
        if identity in seen:
            judged.verdicts[record.position] = "duplicate"
            continue
        seen.add(identity)
        judged.verdicts[record.position] = "cold" if is_cold(record, rules) else "used"
        judged.facts.append(record)
    return judged


def why_dead(record: LogRecord, rules: Rules) -> str:
    """Return why the record cannot be used, or the empty string."""
    value = record.value
    if value is None:
        return record.reason or "undecodable"
    if any(not value[name].strip() for name in IDS[record.topic]):
        return "blank_id"
    if value["timestamp"] > record.append_time_ms + rules.ahead_ms:
        return "ahead"
    if value["timestamp"] < YEAR_2000_MS:
        return "before_2000"
    return why_unbookable(value) if record.topic == TRANSACTIONS else ""


def why_unbookable(value: Mapping[str, Any]) -> str:
    """Return why nobody can book an order, or the empty string."""
    if value["status"] not in STATUSES:
        return "status"
    if not CURRENCY.fullmatch(value["currency"]):
        return "currency"
    return "" if all(math.isfinite(amount) for amount in amounts(value)) else "amount"


def amounts(value: Mapping[str, Any]) -> list[float]:
    """Return every amount of money in a `Transaction`."""
    return [value["totalAmount"], *(item["price"] for item in value["orderItems"])]


def identity_of(record: LogRecord) -> Hashable:
    """Return what two records of one partition share when one of them is a duplicate."""
    value = record.value
    assert value is not None
    if record.topic == TRANSACTIONS:
        return record.log, tenant_of(value), value["transactionId"], value["status"], value["timestamp"]
    return record.log, tenant_of(value), value["sessionId"], value["eventId"]


def is_cold(record: LogRecord, rules: Rules) -> bool:
    """Tell whether the record came after the hot horizon of its day."""
    assert record.value is not None
    return utc_day(record.value["timestamp"]) + timedelta(days=rules.horizon_days) < utc_day(record.append_time_ms)


def horizon_end(records: Iterable[LogRecord], day: date, rules: Rules) -> dict[Log, int]:
    """Return F_D: per log the first offset appended after the day's horizon; logs that have none are left out."""
    ends: dict[Log, int] = {}
    for record in in_log_order(records):
        if utc_day(record.append_time_ms) > day + timedelta(days=rules.horizon_days):
            ends.setdefault(record.log, record.offset)
    return ends
