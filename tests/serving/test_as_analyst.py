"""What analysts get from a server: the views of the dictionary alone, and answers that hold while others write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from infra.bench.store import Size, fill
from infra.clients.clickhouse import migrate
from schemas.tables import clickhouse_migrations
from serving.merged import DICTIONARIES, INTERNAL, PINNED, statements
from tests.serving.write_dictionary import PAGE
from tests.support.clickhouse import Endpoint, running_owner

pytestmark = pytest.mark.servers
TODAY = date(2026, 3, 4)
DAY = TODAY - timedelta(days=1)
SMALL = Size(closed_days=2, closed_sessions=40, open_sessions=10, late_share=0.1)
WRITES = 40
ACCESS_DENIED = 497


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A store with two published days that late events have touched, and an open one."""
    with running_owner(tmp_path_factory.mktemp("analyst") / "owner") as made:
        admin = made.client("admin")
        migrate(admin, clickhouse_migrations(), statements())
        fill(admin, SMALL, TODAY, 7, lambda _: None)
        admin.close()
        yield made


@pytest.fixture
def analyst(endpoint: Endpoint) -> Iterator[Any]:
    client = endpoint.client("analyst")
    yield client
    client.close()


def test_the_views_of_the_dictionary_are_all_there_is(endpoint: Endpoint, analyst: Any) -> None:
    """Beside them the pinned ones, and `holes`, by which the API tells what is missing."""
    headings = {line[3:].split("(")[0] for line in PAGE.read_text().splitlines() if line.startswith("## ")}
    shown = {name for (name,) in analyst.query("SHOW TABLES FROM rivermeet").result_rows}
    assert shown == headings | {f"{view}_at" for view in PINNED} | {"holes"}

    admin = endpoint.client("admin")
    hidden = {name for (name,) in admin.query("SHOW TABLES FROM rivermeet").result_rows} - shown
    admin.close()
    assert hidden >= {"events_speed", "batch_sessions", "batch_rollup", *INTERNAL, *DICTIONARIES}
    for name in sorted(hidden):
        assert refused(analyst, f"SELECT * FROM {name} LIMIT 1") == ACCESS_DENIED, name
    for name in DICTIONARIES:
        assert refused(analyst, f"SELECT * FROM dictionary('rivermeet.{name}')"), name
    key = f"(toDate('{DAY}'), toUInt64(0), toUInt64(0))"
    assert refused(analyst, f"SELECT dictGet('rivermeet.closed_figures_kept', 'tenants', {key})") == ACCESS_DENIED


def refused(client: Any, sql: str) -> int:
    """The code of the error."""
    with pytest.raises(DatabaseError) as error:
        client.query(sql)
    return error.value.code or 0


def test_a_pinned_answer_has_no_late_events_and_no_day_that_was_not_published(analyst: Any) -> None:
    question = "SELECT day, sessions, layer, late_groups FROM daily_metrics{} ORDER BY day"
    moment = f"(published_until = '{DAY} 12:00:00')"

    now = analyst.query(question.format("")).result_rows
    then = analyst.query(question.format(f"_at{moment}")).result_rows
    assert [(row[0], row[2]) for row in now] == [
        (TODAY - timedelta(days=2), "merged"),
        (DAY, "merged"),
        (TODAY, "speed"),
    ]
    for view in PINNED:
        assert analyst.query(f"SELECT * FROM {view}_at{moment} LIMIT 1").row_count == 1
    assert then == [(TODAY - timedelta(days=2), 20, "batch", 0)]


def test_an_acknowledged_late_event_is_in_every_later_answer(endpoint: Endpoint) -> None:
    acknowledged, ended = [0], threading.Event()
    before = page_views(endpoint)
    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read, endpoint, acknowledged, before, ended) for _ in range(2)]
        try:
            pool.submit(write, endpoint, acknowledged).result(60)
        finally:
            ended.set()
        assert [wrong for reader in readers for wrong in reader.result(60)] == []
    assert page_views(endpoint) == before + WRITES


def page_views(endpoint: Endpoint) -> int:
    client = endpoint.client("analyst")
    try:
        return int(client.query(f"SELECT sum(page_views) FROM daily_metrics WHERE day = '{DAY}'").result_rows[0][0])
    finally:
        client.close()


def write(endpoint: Endpoint, acknowledged: list[int]) -> None:
    """Late events of a new session, one by one."""
    client = endpoint.client("writer")
    for number in range(1, WRITES + 1):
        client.command(
            f"INSERT INTO events_speed SELECT * REPLACE ('new' AS session_id, log_offset + {number} AS log_offset)"
            f" FROM (SELECT * FROM events_speed WHERE late AND day = '{DAY}'"
            " ORDER BY session_id = 'new', log_offset LIMIT 1)"
        )
        acknowledged[0] = number
    client.close()


def read(endpoint: Endpoint, acknowledged: list[int], before: int, ended: threading.Event) -> list[tuple[int, int]]:
    """(fewest that there must be, found) of each answer that has too few."""
    wrong = []
    while not ended.is_set():
        fewest = before + acknowledged[0]
        found = page_views(endpoint)
        wrong += [(fewest, found)] if found < fewest else []
    return wrong
