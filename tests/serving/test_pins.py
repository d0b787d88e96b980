"""A reader that pins a moment gets what had been published then, whatever comes later."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from infra.bench.store import Size, fill
from infra.clients.clickhouse import migrate
from schemas.tables import clickhouse_migrations
from serving.merged import PINNED, statements
from tests.support.clickhouse import running_owner

TODAY = date(2026, 3, 4)
SMALL = Size(closed_days=2, closed_sessions=40, open_sessions=10, late_share=0.1)


def test_a_pinned_answer_has_no_late_events_and_no_day_that_was_not_published(tmp_path: Path) -> None:
    with running_owner(tmp_path / "owner") as endpoint:
        admin, analyst = endpoint.client("admin"), endpoint.client("analyst")
        migrate(admin, clickhouse_migrations(), statements())
        fill(admin, SMALL, TODAY, 7, lambda _: None)
        question = "SELECT day, sessions, layer, late_groups FROM daily_metrics{} ORDER BY day"
        moment = f"(published_until = '{TODAY - timedelta(days=1)} 12:00:00')"

        now = analyst.query(question.format("")).result_rows
        then = analyst.query(question.format(f"_at{moment}")).result_rows
        assert [(row[0], row[2]) for row in now] == [
            (TODAY - timedelta(days=2), "merged"),
            (TODAY - timedelta(days=1), "merged"),
            (TODAY, "speed"),
        ]
        for view in PINNED:
            assert analyst.query(f"SELECT * FROM {view}_at{moment} LIMIT 1").row_count == 1
        assert then == [(TODAY - timedelta(days=2), 20, "batch", 0)]
        admin.close()
        analyst.close()
