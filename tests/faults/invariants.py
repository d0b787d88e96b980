"""What must hold after a fault: the log against what was acknowledged, the store against the log and the oracle."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.settings import Settings
from tests.faults.log import Held, Position, log_records
from tests.faults.outputs import OUTPUTS, consumed, stored
from tests.faults.traffic import HORIZON_DAYS, Planned
from tests.merge.answers import (
    Readings,
    WrongAnswer,
    events_equal,
    metrics_equal,
    orders_equal,
    products_equal,
    revenue_equal,
    sessions_equal,
)
from tests.merge.store import Store
from tests.oracle.answer import Answer, below, day_limit, fold
from tests.oracle.figures import product_windows
from tests.oracle.records import Log, LogRecord, utc_day
from tests.oracle.verdicts import Rules, Verdict

RULES = Rules(horizon_days=HORIZON_DAYS)
COMPARISONS = (events_equal, orders_equal, sessions_equal, products_equal, metrics_equal, revenue_equal)
COUNTERS = ("views", "clicks", "add_to_carts", "purchases")
POSITION = "log_partition, log_offset"
TABLES: tuple[tuple[str, str, Verdict], ...] = (
    ("events_speed", "'user-events' AS topic", "used"),
    ("events_cold", "'user-events' AS topic", "cold"),
    ("orders_speed", "'transactions' AS topic", "used"),
    ("orders_cold", "'transactions' AS topic", "cold"),
    ("speed_duplicates", "topic", "duplicate"),
    ("speed_dead_letters", "topic", "dead_letter"),
)
TIMELESS_ALERTS = "rule IN ('large_purchase', 'new_address')"
"""The other rules look at append times, which differ between runs."""
INPUTS = "topic IN ('user-events', 'transactions')"


class Broken(AssertionError):
    """An invariant does not hold; `invariant` is its number."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


@dataclass(frozen=True)
class Evidence:
    """What was sent, what was acknowledged, what the log holds, and the store."""

    sent: list[Planned]
    acknowledged: Mapping[Position, int]
    held: Mapping[Position, Held]
    store: Store
    settings: Settings


def check(evidence: Evidence) -> str:
    """Raises `Broken` where an invariant does not hold; answers a digest of all rows, the same for the same load."""
    _log_keeps_what_it_acknowledged(evidence)
    records = log_records(evidence.held, evidence.sent)
    answer = fold(records, RULES)
    _each_offset_once(evidence, answer)
    _dead_letters_whole(evidence)
    _no_duplicates(evidence.store)
    _windows_equal(evidence.store, answer)
    _answers_equal(evidence.store, records, answer)
    _outputs_agree(evidence)
    return digest(evidence.store)


def _log_keeps_what_it_acknowledged(evidence: Evidence) -> None:
    """I1, at the broker: nothing acknowledged is lost, and nothing was sent twice."""
    held = {position: record.number for position, record in evidence.held.items()}
    _same("I1", "acknowledged records in the log", dict(evidence.acknowledged), held)


def stored_verdicts(store: Store) -> dict[Position, list[Verdict]]:
    """Every table that holds a position, as verdicts."""
    found: dict[Position, list[Verdict]] = {}
    for table, topic, verdict in TABLES:
        where = f"WHERE {INPUTS}" if topic == "topic" else ""
        for row in store.rows(f"SELECT DISTINCT {topic}, {POSITION} FROM {table} {where}"):
            found.setdefault((row["topic"], row["log_partition"], row["log_offset"]), []).append(verdict)
    return found


def _each_offset_once(evidence: Evidence, answer: Answer) -> None:
    """I1, at the store: each offset in one table, the one that the oracle's verdict names."""
    want = {(at.log.topic, at.log.partition, at.offset): [verdict] for at, verdict in answer.verdicts.items()}
    _same("I1", "where each record is stored", want, stored_verdicts(evidence.store))


def _dead_letters_whole(evidence: Evidence) -> None:
    """I1: a dead letter keeps key and bytes, and the reason where it is known."""
    sql = f"SELECT topic, {POSITION}, reason, base64Encode(assumeNotNull(value)) AS bytes, isNull(value) AS absent,"
    sql += f" base64Encode(ifNull(key, '')) AS name FROM speed_dead_letters FINAL WHERE {INPUTS}"
    for row in evidence.store.rows(sql):
        at = (row["topic"], row["log_partition"], row["log_offset"])
        held = evidence.held[at]
        planned = evidence.sent[held.number]
        value = None if row["absent"] else b64decode(row["bytes"])
        if (value, b64decode(row["name"])) != (held.value, held.key or b""):
            raise Broken("I1", f"the dead letter of {at} does not hold the bytes that were sent")
        if planned.reason not in (None, row["reason"]):
            raise Broken("I1", f"{at} is {row['reason']}, and should be {planned.reason}")


def _no_duplicates(store: Store) -> None:
    """I2: facts are distinct by position and by id."""
    for table, ids in (("events", "session_id, event_id"), ("orders", "transaction_id, status, order_time")):
        sql = "SELECT count() AS n, uniqExact(log_partition, log_offset) AS positions,"
        sql += f" uniqExact(log_partition, tenant_id, {ids}) AS ids FROM {table}"
        [row] = store.rows(sql)
        if len({row["n"], row["positions"], row["ids"]}) != 1:
            raise Broken("I2", f"{table}: {row}")


def _windows_equal(store: Store, answer: Answer) -> None:
    """I3: counters per window of the events that came in time."""
    used = answer.positions("used")
    want = product_windows(event for event in answer.events if event.position in used)
    sql = f"SELECT tenant_id, toUnixTimestamp(window_start) * 1000 AS start, product_id, {', '.join(COUNTERS)}"
    got: Counter[tuple[Any, ...]] = Counter()
    for row in store.rows(f"{sql} FROM speed_products FINAL"):
        for kind in COUNTERS:
            if row[kind]:
                got[row["tenant_id"], row["start"], row["product_id"], kind] += row[kind]
    _same("I3", "windows", {tuple(key): count for key, count in want.items()}, dict(got))


def _answers_equal(store: Store, records: list[LogRecord], answer: Answer) -> None:
    """I3: every view on every day."""
    readings = Readings(store)
    logs = {record.log for record in records}
    applied = {log: 1 + max(record.offset for record in records if record.log == log) for log in logs}
    folded: dict[tuple[tuple[Log, int], ...], Answer] = {tuple(sorted(applied.items())): answer}
    days = {utc_day(record.value["timestamp"]) for record in records if record.value is not None}
    for day in sorted(days):
        limit = day_limit(records, day, {}, applied, RULES)
        key = tuple(sorted(limit.items()))
        if key not in folded:
            folded[key] = fold(below(records, limit), RULES)
        for comparison in COMPARISONS:
            try:
                comparison(readings, day, folded[key].on(day))
            except WrongAnswer as wrong:
                raise Broken("I3", _first_difference(wrong)) from wrong


def _outputs_agree(evidence: Evidence) -> None:
    """I3: of each key, a consumer of an output topic ends with the version that the table has."""
    for output in OUTPUTS:
        rows = evidence.store.rows(f"SELECT {output.columns} FROM {output.table} FINAL")
        try:
            got = consumed(evidence.settings, output)
        except ValueError as several:
            raise Broken("I3", str(several)) from several
        _same("I3", f"topic {output.topic} and its table", stored(rows, output), got)


def digest(store: Store) -> str:
    """A hash of the answers; append times, which differ between runs, are left out."""
    queries = (
        f"SELECT {POSITION}, tenant_id, session_id, event_id, event_type, event_time FROM events ORDER BY ALL",
        f"SELECT {POSITION}, tenant_id, transaction_id, status, amount_minor FROM orders ORDER BY ALL",
        "SELECT tenant_id, session_id, session_start, session_end, events, user_id FROM sessions ORDER BY ALL",
        "SELECT * FROM speed_products FINAL ORDER BY ALL",
        f"SELECT alert_id FROM speed_alerts FINAL WHERE {TIMELESS_ALERTS} ORDER BY ALL",
    )
    return hashlib.sha256("".join(repr(store.rows(sql)) for sql in queries).encode()).hexdigest()[:16]


def _same(invariant: str, what: str, want: Mapping[Any, Any], got: Mapping[Any, Any]) -> None:
    """Names the first key that differs."""
    if want == got:
        return
    keys = sorted((key for key in {*want, *got} if want.get(key) != got.get(key)), key=str)
    first = f"{keys[0]}: wanted {want.get(keys[0])}, found {got.get(keys[0])}"
    raise Broken(invariant, f"{what} differ at {len(keys)} of {len(want)} keys, first {first}")


def _first_difference(wrong: WrongAnswer) -> str:
    return str(wrong)[:1500]
