"""Figures of published days that are kept are those that would be added up now, whoever writes meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from batch import publish
from batch.publication import Publication
from infra.bench.store import Size, fill
from infra.clients.clickhouse import Client, migrate
from schemas.tables import clickhouse_migrations
from serving.merged import STATE, statements
from tests.merge import scenarios
from tests.merge.mutations import changed_view
from tests.merge.store import HoleError, Store
from tests.support.clickhouse import Endpoint, running_owner

TODAY = date(2026, 3, 4)
DAY = TODAY - timedelta(days=1)
SMALL = Size(closed_days=2, closed_sessions=40, open_sessions=10, late_share=0.1)
WRITES = 40


def test_what_is_not_kept_is_added_up(store: Store) -> None:
    """No figures are kept under the state that is asked for, as when a late row comes between question and answer."""
    with changed_view(store, "daily_metrics", lambda sql: sql.replace(f"any({STATE})", f"any({STATE} + 1)")):
        scenarios.state_of_kept_figures(scenarios.History(store))


def test_figures_of_another_selection_are_no_answer(store: Store) -> None:
    history = scenarios.History(store)
    scenarios.state_of_kept_figures(history)
    question = f"SELECT sessions FROM daily_metrics WHERE day = '{history.date(0)}'"
    assert store.rows(question)
    with (
        changed_view(store, "daily_metrics", lambda sql: sql.replace("any(published.2)", "any(published.2 + 1)")),
        pytest.raises(HoleError, match="published while they were read"),
    ):
        store.rows(question)


def test_a_day_that_is_rolled_up_twice_counts_once(store: Store) -> None:
    """As after a publisher that died before its pointer, and one that published the same version anew."""
    once = publish.roll_up

    def twice(client: Client, rows: Iterable[Publication]) -> None:
        for _ in range(2):
            once(client, list(rows))

    for scenario in (scenarios.correction_of_figures, scenarios.members_that_stay):
        with patch.object(publish, "roll_up", twice):
            scenario(scenarios.History(store))


def test_an_acknowledged_late_event_is_in_every_later_answer(tmp_path: Path) -> None:
    with running_owner(tmp_path / "owner") as endpoint:
        admin = endpoint.client("admin")
        migrate(admin, clickhouse_migrations(), statements())
        fill(admin, SMALL, TODAY, 7, lambda _: None)
        admin.close()
        acknowledged, ended = [0], threading.Event()
        before = _page_views(endpoint)
        with ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(_read, endpoint, acknowledged, before, ended) for _ in range(2)]
            try:
                pool.submit(_write, endpoint, acknowledged).result(60)
            finally:
                ended.set()
            assert [wrong for reader in readers for wrong in reader.result(60)] == []
        assert _page_views(endpoint) == before + WRITES


def _page_views(endpoint: Endpoint) -> int:
    client = endpoint.client("analyst")
    try:
        return int(client.query(f"SELECT sum(page_views) FROM daily_metrics WHERE day = '{DAY}'").result_rows[0][0])
    finally:
        client.close()


def _write(endpoint: Endpoint, acknowledged: list[int]) -> None:
    """Late events of new sessions, one by one."""
    client = endpoint.client("writer")
    for number in range(1, WRITES + 1):
        client.command(
            f"INSERT INTO events_speed SELECT * REPLACE ('new' AS session_id, log_offset + {number} AS log_offset)"
            f" FROM (SELECT * FROM events_speed WHERE late AND day = '{DAY}'"
            " ORDER BY session_id = 'new', log_offset LIMIT 1)"
        )
        acknowledged[0] = number
    client.close()


def _read(endpoint: Endpoint, acknowledged: list[int], before: int, ended: threading.Event) -> list[tuple[int, int]]:
    """(fewest that there must be, found) of each answer that has too few."""
    wrong = []
    while not ended.is_set():
        fewest = before + acknowledged[0]
        found = _page_views(endpoint)
        wrong += [(fewest, found)] if found < fewest else []
    return wrong
