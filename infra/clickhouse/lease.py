"""The connection that a request runs on: one from the engine's store, or the one of its session."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.clickhouse.access import Profile
from infra.clickhouse.engine import Engine, Link
from infra.clickhouse.guard import check_settings
from infra.clickhouse.request import Request
from infra.clickhouse.sessions import Session
from infra.clickhouse.settings import restore_statement, set_statement


@dataclass
class Lease:
    """A request's hold on a connection, which is there once `opened` has begun, in the thread that uses it."""

    engine: Engine
    profile: Profile
    session: Session | None
    link: Link | None = None

    @contextlib.contextmanager
    def opened(self, request: Request) -> Iterator[Link]:
        """The connection, with the request's database and settings in force. Raises `QueryError` for unknown ones."""
        check_settings(request.settings, self.engine.reach)
        if self.session is None:
            self.link = self.engine.take(self.profile, request.database, request.settings)
            yield self.link
            return
        if self.session.link is None:
            self.session.link = self.engine.take(self.profile)
        self.link = self.session.link
        with _visiting(self.link, request.database, request.settings):
            yield self.link

    def end(self, clean: bool) -> None:
        """Gives the connection back; one that is not `clean` may be in any state and is closed."""
        if self.session is None and self.link is not None:
            self.link.altered = self.link.altered or not clean
            self.engine.give(self.link)


@contextlib.contextmanager
def _visiting(link: Link, database: str | None, settings: Mapping[str, str]) -> Iterator[None]:
    """A session's connection, with a request's own database and settings for as long as the request runs."""
    before = link.database
    restore = restore_statement(link, settings) if settings else ""
    if database and database != before:
        link.use(database)
    if settings:
        link.run(set_statement(settings))
    try:
        yield
    finally:
        if restore:
            link.run(restore)
        if database and link.database == database != before:
            link.use(before)
