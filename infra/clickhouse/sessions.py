"""Sessions: a connection kept between requests under the caller's name for it, for one request at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from infra.clickhouse.engine import Link
from infra.clickhouse.errors import Code, QueryError
from infra.clickhouse.request import SessionWish

_MOST_SESSIONS = 200


@dataclass
class Session:
    """A session of one user; its connection is opened by the first request that uses it."""

    user: str
    wish: SessionWish
    idle_since: float
    busy: bool = True
    link: Link | None = None


class Sessions:
    """The open sessions of all users. Belongs to the event loop's thread; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions: dict[tuple[str, str], Session] = {}
        self._clock = clock

    def enter(self, user: str, wish: SessionWish) -> Session:
        """The session of that name, the caller's alone until `leave`; a new one where there is none.

        Raises SESSION_IS_LOCKED when another request is using it, SESSION_NOT_FOUND when it must exist and does not.
        """
        self.close_idle()
        session = self._sessions.get((user, wish.name))
        if session is None:
            return self._create(user, wish)
        if session.busy:
            raise QueryError.of(Code.SESSION_IS_LOCKED, f"Session {wish.name} is locked by a concurrent client")
        session.busy, session.wish = True, wish
        return session

    def _create(self, user: str, wish: SessionWish) -> Session:
        if wish.must_exist:
            raise QueryError.of(Code.SESSION_NOT_FOUND, f"Session {wish.name} not found")
        if len(self._sessions) >= _MOST_SESSIONS:
            raise QueryError.of(
                Code.TOO_MANY_SIMULTANEOUS_QUERIES,
                f"{_MOST_SESSIONS} sessions are open: close some with close_session=1, or give shorter timeouts",
            )
        session = self._sessions[user, wish.name] = Session(user, wish, self._clock())
        return session

    def leave(self, session: Session) -> None:
        """Frees the session for the next request, or closes it if its last request has asked for that."""
        session.busy, session.idle_since = False, self._clock()
        if session.wish.close:
            self._close(session)

    def close_idle(self, at_least: float | None = None) -> None:
        """Closes the sessions that no request is using and that were idle for longer than they wished to live.

        `at_least` replaces what they wished for; 0 closes all that are idle.
        """
        now = self._clock()
        for session in list(self._sessions.values()):
            limit = session.wish.timeout if at_least is None else at_least
            if not session.busy and now - session.idle_since >= limit:
                self._close(session)

    def _close(self, session: Session) -> None:
        del self._sessions[session.user, session.wish.name]
        if session.link is not None:
            session.link.close()
