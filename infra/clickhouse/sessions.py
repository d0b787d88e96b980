"""Sessions: a connection kept between requests, under the caller's name for it, for one request at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.clickhouse.engine import Link
from infra.clickhouse.errors import Code, QueryError

_DEFAULT_TIMEOUT_S = 60
_LONGEST_TIMEOUT_S = 3600
_MOST_SESSIONS = 200


@dataclass
class _Session:
    link: Link
    timeout: float
    idle_since: float
    busy: bool = True


class Sessions:
    """The open sessions of all users. Belongs to the event loop's thread; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions: dict[tuple[str, str], _Session] = {}
        self._clock = clock

    def enter(self, user: str, url: Mapping[str, str], take: Callable[[], Link]) -> Link:
        """The session's connection, its own until `leave`; a new one where there is none.

        Raises SESSION_IS_LOCKED when another request is using it, SESSION_NOT_FOUND when ``session_check`` asks for one
        that is not there, BAD_ARGUMENTS for a timeout that is not one.
        """
        name, timeout = url["session_id"], _timeout(url)
        session = self._sessions.get((user, name))
        if session is None:
            session = self._create(user, name, url, take, timeout)
        elif session.busy:
            raise QueryError.of(Code.SESSION_IS_LOCKED, f"Session {name} is locked by a concurrent client")
        session.busy, session.timeout = True, timeout
        return session.link

    def _create(
        self, user: str, name: str, url: Mapping[str, str], take: Callable[[], Link], timeout: float
    ) -> _Session:
        if url.get("session_check", "0") == "1":
            raise QueryError.of(Code.SESSION_NOT_FOUND, f"Session {name} not found")
        if len(self._sessions) >= _MOST_SESSIONS:
            raise QueryError.of(
                Code.TOO_MANY_SIMULTANEOUS_QUERIES,
                f"{_MOST_SESSIONS} sessions are open: close some with close_session=1, or give shorter timeouts",
            )
        self._sessions[user, name] = session = _Session(take(), timeout, self._clock())
        return session

    def leave(self, user: str, name: str, close: bool) -> Link | None:
        """Frees the session for the next request; returns its connection when it is to be closed."""
        session = self._sessions[user, name]
        session.busy, session.idle_since = False, self._clock()
        return self._sessions.pop((user, name)).link if close else None

    def expired(self) -> list[Link]:
        """Forgets the sessions that were idle for too long, and returns their connections to be closed."""
        now = self._clock()
        old = [key for key, s in self._sessions.items() if not s.busy and now - s.idle_since > s.timeout]
        return [self._sessions.pop(key).link for key in old]

    def forget_all(self) -> list[Link]:
        """Forgets every session that no request is using, and returns their connections to be closed."""
        free = [key for key, session in self._sessions.items() if not session.busy]
        return [self._sessions.pop(key).link for key in free]


def _timeout(url: Mapping[str, str]) -> float:
    text = url.get("session_timeout", str(_DEFAULT_TIMEOUT_S))
    if not text.isdigit() or int(text) > _LONGEST_TIMEOUT_S:
        raise QueryError.of(Code.BAD_ARGUMENTS, f"session_timeout is {text!r}: give seconds up to {_LONGEST_TIMEOUT_S}")
    return int(text)
