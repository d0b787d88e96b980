"""Point reads over HTTP: from Cassandra, from ClickHouse when that is away, and marked when ClickHouse is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from infra.clients.cassandra import Points, opened
from infra.settings import ROOT, Api, Cassandra, ClickHouse, Settings
from serving.points.rows import writes
from tests.serving.api.conftest import STACK_KEY, Server, clickhouse_settings
from tests.serving.api.feed import Feed, at
from tests.serving.points.messages import DAY, NOON_MS, group, send, session, window
from tests.support.clickhouse import Endpoint
from tests.support.stack import RunStack
from tests.support.waiting import until

pytestmark = pytest.mark.servers
NOW = datetime(2026, 3, 10, 12, 5, tzinfo=UTC)
AWAY = Cassandra(port=1)


@pytest.fixture(scope="module")
def stack(run_stack: RunStack) -> Settings:
    return run_stack.server("topics", "schemas", "keyspace")


@pytest.fixture
def points(stack: Settings) -> Iterator[Points]:
    found = opened(stack.cassandra, stack.cassandra.keyspace)
    for table in ("sessions_by_id", "sessions_by_user", "products_by_window", "points_progress"):
        found.run(f"TRUNCATE {table}")
    yield found
    found.close()


@pytest.fixture
def api(
    owner: Endpoint, feed: Feed, points: Points, stack: Settings, tmp_path: Path
) -> Iterator[Callable[..., Server]]:
    """Makes the API, with stores of its own choice; it believes that it is `NOW`."""
    made: list[Server] = []

    def make(cassandra: Cassandra = stack.cassandra, clickhouse: ClickHouse | None = None) -> Server:
        settings = Settings(
            home=tmp_path,
            clickhouse=clickhouse or clickhouse_settings(owner),
            cassandra=cassandra,
            api=Api(key=SecretStr(STACK_KEY)),
        )
        server = Server(settings, now=NOW)
        server.http.__enter__()
        made.append(server)
        return server

    yield make
    for server in made:
        server.http.__exit__(None, None, None)


def copy(points: Points, *messages: Any, fresh: bool = True) -> None:
    """What the copier writes."""
    for statement, rows in writes([(topic.name, record) for topic, record in messages], NOW).rows.items():
        points.write(statement, rows)
    if fresh:
        progress = [("rivermeet-points", topic, 0, 1, 0, NOW) for topic in ("session-metrics", "product-popularity")]
        points.write(
            "INSERT INTO points_progress (copy, topic, log_partition, partitions, position, caught_up_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            progress,
        )


def get(server: Server, what: str, name: str) -> Any:
    return server.caller("acme").get(f"/v1/points/{what}/{name}")


def origin(answer: Any) -> tuple[str, bool]:
    provenance = answer.json()["provenance"]
    return provenance["source"], provenance["partial"]


def test_replays_and_zombies_lose(points: Points, api: Callable[..., Server]) -> None:
    server = api()
    copy(points, group("s", 5, session(events=5)), window("p", 5, 50))
    for older in range(5):
        copy(points, group("s", older, session(events=older)), window("p", older, older))
    found = get(server, "sessions", "s")
    assert (found.json()["data"]["events"], origin(found)) == (5, ("cassandra", False))
    counted = get(server, "products", "p").json()["data"]
    assert (counted["views"], counted["windows"][0]["window_start"]) == (50, "2026-03-10T12:00:00Z")
    copy(points, window("p", 1, 3, logPartition=1))
    assert get(server, "products", "p").json()["data"]["views"] == 53


def test_the_last_session_of_a_user_is_one_that_still_is_the_users(points: Points, api: Callable[..., Server]) -> None:
    server = api()
    copy(
        points,
        group("s1", 1, session()),
        group("s2", 2, session(NOON_MS + 60_000)),
        group("s3", 3, session(NOON_MS + 90_000)),
    )
    assert get(server, "users", "u1").json()["data"]["session_id"] == "s3"
    copy(points, group("s3", 4, session(NOON_MS + 90_000, userId="u2", visitorId="u2")))
    assert get(server, "users", "u1").json()["data"]["session_id"] == "s2"
    assert get(server, "users", "u2").json()["data"]["session_id"] == "s3"
    copy(points, group("s2", 5))
    assert get(server, "users", "u1").json()["data"]["session_id"] == "s1"


def test_a_tenant_sees_its_own(points: Points, api: Callable[..., Server]) -> None:
    copy(points, group("s", 1, session()))
    server = api()
    assert server.caller("other").get("/v1/points/sessions/s").status_code == 404
    assert server.operator.get("/v1/points/sessions/s", tenant="acme").status_code == 200


def test_cassandra_away_the_same_answer_comes_from_clickhouse(
    feed: Feed, points: Points, api: Callable[..., Server]
) -> None:
    feed.event(at(DAY, 12), sessionId="s", product="p")
    feed.event(at(DAY, 12, 1), sessionId="s", product="p", eventType="click")
    feed.apply()
    sessions = session(
        sessionEnd=NOON_MS + 60_000, events=2, pageViews=1, clicks=1, searches=0, addToCarts=0, purchases=0,
        uniquePages=1, durationMs=60_000, engaged=True,
    )  # fmt: skip
    copy(points, group("s", 1, sessions), window("p", 1, 1, clicks=1))
    with_copy, without = api(), api(AWAY)
    for what, name in (("sessions", "s"), ("users", "u1"), ("products", "p")):
        first, second = get(with_copy, what, name), get(without, what, name)
        assert (origin(first), origin(second)) == (("cassandra", False), ("clickhouse", False)), second.text
        differing = {"layer", "publication_version"}
        one, other = ({k: v for k, v in a.json()["data"].items() if k not in differing} for a in (first, second))
        assert one == other


def test_a_copy_that_is_behind_is_not_believed(feed: Feed, points: Points, api: Callable[..., Server]) -> None:
    feed.event(at(DAY, 12), sessionId="s")
    feed.apply()
    copy(points, group("s", 0, session(events=99)))
    server = api()
    assert origin(get(server, "sessions", "s")) == ("cassandra", False)
    server.now = NOW + timedelta(seconds=30)
    found = get(server, "sessions", "s")
    assert (found.json()["data"]["events"], origin(found)) == (1, ("clickhouse", False))


def test_clickhouse_away_what_the_copy_has_is_marked(points: Points, api: Callable[..., Server]) -> None:
    copy(points, group("s", 1, session(events=7)), fresh=False)
    server = api(clickhouse=ClickHouse(port=1))
    found = get(server, "sessions", "s")
    assert (found.json()["data"]["events"], origin(found)) == (7, ("cassandra", True))
    assert found.json()["provenance"]["speed_lag_seconds"] is None
    unknown = get(server, "sessions", "unknown")
    assert unknown.status_code == 503, "nobody can say that it does not exist"


def test_both_away_is_an_error(api: Callable[..., Server]) -> None:
    assert get(api(AWAY, ClickHouse(port=1)), "products", "p").status_code == 503


@pytest.fixture
def copier(stack: Settings, run_stack: RunStack) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        environment = os.environ | {"RIVERMEET_HOME": str(run_stack.home)}
        started.append(subprocess.Popen([sys.executable, "-m", "serving.points"], cwd=ROOT, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(20)


def views(points: Points, product: str) -> list[int]:
    rows = points.rows("SELECT views FROM products_by_window WHERE tenant_id = ? AND product_id = ?", ("acme", product))
    return [row.views for row in rows]


def test_the_copier_goes_on_where_it_was_killed(
    stack: Settings, points: Points, copier: Callable[[], subprocess.Popen[bytes]]
) -> None:
    first = copier()
    send(stack, [window(f"copied-{n}", 1, n) for n in range(50)])
    until(lambda: views(points, "copied-49") == [49], "the first copies")
    first.send_signal(signal.SIGKILL)
    first.wait(20)
    send(stack, [window(f"copied-{n}", 2, 100 + n) for n in range(50)])
    second = copier()
    until(lambda: all(views(points, f"copied-{n}") == [100 + n] for n in range(50)), "the second copies")
    progress = "SELECT * FROM points_progress WHERE copy = ?"
    until(lambda: len(points.rows(progress, ("rivermeet-points",))) == 24, "progress of all partitions")
    second.send_signal(signal.SIGTERM)
    assert second.wait(20) == 0
