"""Second halves that are tried again."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import polars as pl
import pytest

from infra.clients.clickhouse import Client, StoreUnavailable, insert
from schemas.lateness import Horizon
from schemas.sessions import SessionRules
from streams import writing
from streams.engine import Engine
from streams.records import USER_EVENTS, Range, Records
from tests.merge.frames import dead_letter_frame, event_frame, order_frame
from tests.merge.store import Store
from tests.oracle.records import LogRecord

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MS = round(AT.timestamp() * 1_000)
VIEW = {
    "eventId": "e1",
    "userId": None,
    "sessionId": "s1",
    "eventType": "page_view",
    "properties": {},
    "context": {"userAgent": "", "ip": "", "platform": "web", "referrer": None},
    "tenantId": "acme",
    "timestamp": MS,
}
RECORD = LogRecord(USER_EVENTS, 1, 0, 0, MS, VIEW)
RECORDS = Records(
    (Range(USER_EVENTS, 1, 0, 0, 1, AT, AT),), event_frame([RECORD]), order_frame([]), dead_letter_frame([])
)


class LostAnswers:
    """Inserts are done, and of the first ones into some tables nobody hears."""

    def __init__(self, **lost: int) -> None:
        self.inserts: Counter[str] = Counter()
        self._lost = lost

    def __call__(self, client: Client, table: str, rows: pl.DataFrame) -> None:
        insert(client, table, rows)
        self.inserts[table] += 1
        if self.inserts[table] <= self._lost.get(table, 0):
            raise StoreUnavailable("no answer")


def test_rows_of_sessions_that_were_written_again_are_not_written_at_every_further_try(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second half may have those of many ticks: it would end only if all went well in one try."""
    store.clear()
    inserts = LostAnswers(speed_sessions=1, speed_progress=3)
    monkeypatch.setattr(writing, "insert", inserts)
    engine = Engine((store.client, store.client), lambda _slices: RECORDS, SessionRules(), Horizon(7))
    begun = engine.begin([])
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            engine.finish([begun])
    engine.finish([begun])
    assert inserts.inserts["speed_sessions"] == 2
    assert inserts.inserts["speed_progress"] == 4
    assert store.rows("SELECT session_id, layer FROM sessions") == [{"session_id": "s1", "layer": "speed"}]
