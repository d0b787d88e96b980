"""Records of `session-metrics` and `product-popularity` as rows of Cassandra. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from schemas.lateness import start_of
from schemas.topics import PRODUCT_POPULARITY, SESSION_METRICS

SESSIONS_KEPT = timedelta(days=30)
WINDOWS_KEPT = timedelta(days=2)
_SHORTEST = timedelta(minutes=10)

INSERT_SESSIONS = (
    "INSERT INTO sessions_by_id (tenant_id, session_id, log_epoch, log_partition, day, as_of, sessions)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?"
)
INSERT_USERS = (
    "INSERT INTO sessions_by_user (tenant_id, user_id, session_start, session_id)"
    " VALUES (?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?"
)
INSERT_WINDOWS = (
    "INSERT INTO products_by_window (tenant_id, product_id, window_start, log_epoch, log_partition, as_of,"
    " views, clicks, add_to_carts, purchases) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?"
)

Row = tuple[Any, ...]

_KEYS: Mapping[str, tuple[str, ...]] = {
    SESSION_METRICS.name: ("tenantId", "sessionId", "logEpoch", "logPartition", "day"),
    PRODUCT_POPULARITY.name: ("tenantId", "productId", "windowStart", "logEpoch", "logPartition"),
}
_CAPITAL = re.compile(r"[A-Z]")


@dataclass(frozen=True)
class Writes:
    """Rows by the statement that writes them, in the order in which they must be written."""

    rows: dict[str, list[Row]]

    def __len__(self) -> int:
        return sum(map(len, self.rows.values()))


def coalesced(records: Iterable[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Of (topic, record) with one key only the one with the greatest `asOf`; the others would lose in the table too."""
    latest: dict[tuple[Any, ...], tuple[str, Mapping[str, Any]]] = {}
    for topic, record in records:
        key = (topic, *(record[name] for name in _KEYS[topic]))
        if key not in latest or latest[key][1]["asOf"] <= record["asOf"]:
            latest[key] = (topic, record)
    return list(latest.values())


def writes(records: Iterable[tuple[str, Mapping[str, Any]]], now: datetime) -> Writes:
    """The rows of records. The index of users comes before the sessions that it points to."""
    chosen = coalesced(records)
    sessions = [record for topic, record in chosen if topic == SESSION_METRICS.name]
    windows = [record for topic, record in chosen if topic == PRODUCT_POPULARITY.name]
    users = [row for record in sessions for row in _users(record, now)]
    return Writes(
        {
            INSERT_USERS: users,
            INSERT_SESSIONS: [_session(record, now) for record in sessions],
            INSERT_WINDOWS: [_window(record, now) for record in windows],
        }
    )


def snake(name: str) -> str:
    """`sessionStart` as `session_start`."""
    return _CAPITAL.sub(lambda found: f"_{found.group().lower()}", name)


def _session(record: Mapping[str, Any], now: datetime) -> Row:
    day, as_of = record["day"], record["asOf"]
    shown = [{snake(name): value for name, value in one.items()} for one in record["sessions"]]
    text = json.dumps(shown, separators=(",", ":"), default=_milliseconds)
    key = (record["tenantId"], record["sessionId"], record["logEpoch"], record["logPartition"], day)
    return (*key, as_of, text, as_of, _ttl(day, SESSIONS_KEPT, now))


def _users(record: Mapping[str, Any], now: datetime) -> list[Row]:
    ttl = _ttl(record["day"], SESSIONS_KEPT, now)
    return [
        (record["tenantId"], one["userId"], one["sessionStart"], record["sessionId"], record["asOf"], ttl)
        for one in record["sessions"]
        if one["userId"] is not None
    ]


def _window(record: Mapping[str, Any], now: datetime) -> Row:
    names = ("tenantId", "productId", "windowStart", "logEpoch", "logPartition", "asOf")
    counts = ("views", "clicks", "addToCarts", "purchases")
    start = datetime.fromtimestamp(_milliseconds(record["windowStart"]) / 1000, now.tzinfo)
    ttl = _ttl(start, WINDOWS_KEPT, now)
    return (*(record[name] for name in (*names, *counts)), record["asOf"], ttl)


def _ttl(moment: date | datetime, kept: timedelta, now: datetime) -> int:
    """Seconds until the row may go, by the time of its events, so that a replay does not keep old rows alive."""
    begin = moment if isinstance(moment, datetime) else start_of(moment) + timedelta(days=1)
    return int(max(_SHORTEST, begin + kept - now).total_seconds())


def _milliseconds(value: Any) -> int:
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else int(value)
