"""Point reads from Cassandra: a session now, a user's last session, a product now; and how fresh the copy is."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from infra.clients.cassandra import Points, PointsUnavailable
from schemas.products import COUNTERS
from serving.points.copying import GROUP, SOURCES

REQUEST_SECONDS = 0.5
_AGAIN_SECONDS = 2.0
_PROGRESS_KEPT_SECONDS = 1.0
_CANDIDATES = 20
_TIMES = ("session_start", "session_end")

_SESSIONS = (
    "SELECT log_epoch, log_partition, day, as_of, sessions FROM sessions_by_id WHERE tenant_id = ? AND session_id = ?"
)
_USERS = "SELECT session_id, session_start FROM sessions_by_user WHERE tenant_id = ? AND user_id = ? LIMIT ?"
_WINDOWS = (
    f"SELECT window_start, {', '.join(COUNTERS)} FROM products_by_window"
    " WHERE tenant_id = ? AND product_id = ? AND window_start >= ?"
)
_PROGRESS = "SELECT topic, log_partition, partitions, caught_up_at FROM points_progress WHERE copy = ?"


@dataclass(frozen=True)
class Window:
    """Counts of a product in one 5-minute window, over all partitions."""

    window_start: datetime
    counts: dict[str, int]


class PointReads:
    """Reads, by any thread. A Cassandra that does not answer is left alone for a moment, so that nobody waits."""

    def __init__(self, connect: Callable[[], Points]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._points: Points | None = None
        self._failed_at = float("-inf")
        self._progress: tuple[float, datetime | None] = (float("-inf"), None)

    def sessions(self, tenant: str, session_id: str) -> list[dict[str, Any]]:
        """The sessions of a session id, by start. Raises `PointsUnavailable`."""
        key = {"tenant_id": tenant, "session_id": session_id}
        rows = self._rows(_SESSIONS, (tenant, session_id))
        found = [_shown(one, row, key) for row in rows for one in json.loads(row.sessions)]
        return sorted(found, key=lambda one: (one["session_start"], one["log_epoch"], one["log_partition"]))

    def user_sessions(self, tenant: str, user_id: str) -> list[dict[str, Any]]:
        """Sessions of a user, latest first, of the ids that the index names last. Raises `PointsUnavailable`."""
        named = {row.session_id: None for row in self._rows(_USERS, (tenant, user_id, _CANDIDATES))}
        found = [one for session_id in named for one in self.sessions(tenant, session_id) if one["user_id"] == user_id]
        return sorted(found, key=lambda one: (one["session_start"], one["session_id"]), reverse=True)

    def last_session(self, tenant: str, user_id: str) -> dict[str, Any] | None:
        """The user's session that began last. Raises `PointsUnavailable`.

        The index may still name a session that is no longer the user's, or that now begins at another time; what the
        session itself says counts, and the first entry that holds is the last session.
        """
        for row in self._rows(_USERS, (tenant, user_id, _CANDIDATES)):
            start = row.session_start.replace(tzinfo=UTC)
            for one in self.sessions(tenant, row.session_id):
                if one["user_id"] == user_id and one["session_start"] == start:
                    return one
        return None

    def windows(self, tenant: str, product_id: str, since: datetime) -> list[Window]:
        """The windows of a product that begin at `since` or later, latest first. Raises `PointsUnavailable`."""
        sums: dict[datetime, dict[str, int]] = {}
        for row in self._rows(_WINDOWS, (tenant, product_id, since)):
            counts = sums.setdefault(row.window_start.replace(tzinfo=UTC), dict.fromkeys(COUNTERS, 0))
            for name in COUNTERS:
                counts[name] += getattr(row, name)
        return [Window(start, counts) for start, counts in sorted(sums.items(), reverse=True)]

    def copied_until(self) -> datetime | None:
        """All that the speed layer had said until then is in the copy; None if that is not known of every partition.

        Asked at most once a second. Raises `PointsUnavailable`.
        """
        read_at, until = self._progress
        if time.monotonic() - read_at > _PROGRESS_KEPT_SECONDS:
            until = _until(self._rows(_PROGRESS, (GROUP,)))
            self._progress = (time.monotonic(), until)
        return until

    def close(self) -> None:
        """Ends the connections."""
        if self._points is not None:
            self._points.close()

    def _rows(self, cql: str, values: tuple[Any, ...]) -> list[Any]:
        if time.monotonic() - self._failed_at < _AGAIN_SECONDS:
            raise PointsUnavailable("it did not answer a moment ago")
        try:
            return self._opened().rows(cql, values)
        except PointsUnavailable:
            self._failed_at = time.monotonic()
            raise

    def _opened(self) -> Points:
        with self._lock:
            self._points = self._points or self._connect()
            return self._points


def _shown(session: dict[str, Any], row: Any, key: dict[str, str]) -> dict[str, Any]:
    times = {name: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=session[name]) for name in _TIMES}
    day: date = row.day.date()
    place = {"log_epoch": row.log_epoch, "log_partition": row.log_partition, "day": day}
    return {**key, **place, **session, **times}


def _until(rows: list[Any]) -> datetime | None:
    """The earliest time at which a partition was seen whole, if every partition of every topic has been."""
    for topic in SOURCES:
        of_topic = [row for row in rows if row.topic == topic.name]
        if not of_topic or len(of_topic) < of_topic[0].partitions:
            return None
    earliest: datetime = min(row.caught_up_at for row in rows)
    return earliest.replace(tzinfo=UTC)
