"""Somebody who reads `daily_metrics` again and again beside what a test does."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from threading import Event, Thread
from typing import NamedTuple

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from infra.clients.clickhouse import connect
from infra.settings import ClickHouse

AGAIN = 3
"""How often in a row a reader may be asked to ask again."""


class Answer(NamedTuple):
    """What was said of a day."""

    day: date
    sessions: int
    page_views: int
    version: int


class Reader(Thread):
    """Keeps every answer that differs from the one before of its day, in the order in which they came."""

    def __init__(self, settings: ClickHouse) -> None:
        super().__init__(daemon=True)
        self.settings, self.stopped = settings, Event()
        self.failure: Exception | None = None
        self.seen: list[Answer] = []
        self.last: dict[date, Answer] = {}

    def run(self) -> None:
        try:
            with closing(connect(self.settings, "analyst")) as client:
                self.read(client)
        except Exception as error:  # noqa: BLE001 - whatever ends this thread, the test must hear of it
            self.failure = error

    def read(self, client: Client) -> None:
        refused, over = 0, False
        while not over or refused:
            over = self.stopped.wait(0.02)
            try:
                self.ask(client)
                refused = 0
            except DatabaseError as error:
                refused += 1
                # A query that a publication came in the middle of is refused, and answered when it is asked again.
                if "ask again" not in str(error) or refused > AGAIN:
                    raise

    def ask(self, client: Client) -> None:
        found = client.query_arrow("SELECT day, sessions, page_views, publication_version FROM daily_metrics")
        for row in found.to_pylist():
            answer = Answer(*row.values())
            if self.last.get(answer.day) != answer:
                self.last[answer.day] = answer
                self.seen.append(answer)

    def stop(self) -> list[Answer]:
        """All answers, the last of which was asked for after this call."""
        self.stopped.set()
        self.join(60)
        assert not self.is_alive()
        assert self.failure is None, self.failure
        return self.seen
