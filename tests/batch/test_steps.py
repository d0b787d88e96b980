"""The whole way of a day: Kafka, lake, gate, recompute, ClickHouse; and again; and by the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlparse
from uuid import uuid4

import pytest
from pyiceberg.catalog import Catalog
from pyspark.sql import SparkSession

from batch.datasets import DATASETS, Dataset
from batch.exits import Code
from batch.files import FileDamaged, NoSpace
from batch.lake import files_of, load_table
from batch.maintenance import Upkeep
from batch.publication import NotYetPublishable, StalePublication
from batch.publish import roll_up_missing
from batch.spark import SparkConfig
from batch.steps import GateRefused, Steps
from batch.versions import drop_versions
from infra.clients.clickhouse import connect
from infra.settings import ClickHouse, Lake, Settings
from infra.stack.prepare import migrate_clickhouse
from schemas.codec import encode_record
from schemas.registry import Registry
from schemas.subjects import subject
from schemas.topics import TRANSACTIONS, USER_EVENTS, Topic
from tests.batch.breaking import full_disk, rot, work_until_killed
from tests.batch.logs import TestTopic
from tests.batch.reading import Answer, Reader
from tests.support.clickhouse import clear, running_owner
from tests.support.stack import RunStack

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

DAY = datetime.now(UTC).date() - timedelta(days=3)
CHUNK = 100_000


TABLES = (
    "batch_events",
    "batch_sessions",
    "batch_products",
    "batch_orders",
    "batch_publications",
    "batch_selections",
    "batch_landings",
)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """A ClickHouse of our own."""
    with running_owner(tmp_path_factory.mktemp("clickhouse")) as endpoint:
        users = {user: {"password": password} for user, password in endpoint.users.items()}
        own = {"host": endpoint.host, "port": endpoint.port, **users.pop("writer"), **users}
        yield ClickHouse.model_validate(own)


@pytest.fixture
def settings(run_stack: RunStack, config: SparkConfig, warehouse: ClickHouse) -> Settings:
    """Kafka and the registry of the run, with a lake and a ClickHouse of our own, both empty."""
    found = run_stack.server("kafka", "registry")
    lake = Lake(catalog_uri=config.lake.catalog_uri, warehouse=config.lake.warehouse)
    own = found.model_copy(update={"lake": lake, "clickhouse": warehouse, "home": config.state})
    migrate_clickhouse(own)
    shutil.rmtree(Path(config.lake.warehouse, "results"), ignore_errors=True)
    with closing(connect(warehouse, "admin")) as client:
        clear(client, TABLES)
    return own


@pytest.fixture
def steps(settings: Settings, spark: SparkSession, catalog: Catalog) -> Iterator[Steps]:
    with ExitStack() as resources:
        made = Steps(settings, lambda: datetime.now(UTC), resources)
        made.__dict__["spark"] = spark
        yield made


@pytest.fixture
def log(topic: Callable[[int], TestTopic]) -> TestTopic:
    return topic(2)


@pytest.fixture
def reader(settings: Settings) -> Iterator[Reader]:
    thread = Reader(settings.clickhouse)
    thread.start()
    yield thread
    thread.stop()


def of(name: str, log: TestTopic) -> Dataset:
    return replace(DATASETS[name], topic=replace(DATASETS[name].topic, name=log.name))


def at(day: date, clock: str) -> int:
    return int(datetime.fromisoformat(f"{day}T{clock}+00:00").timestamp() * 1000)


@cache
def schema_ids(url: str, topic: Topic) -> Mapping[int, int]:
    return Registry(url).register(topic)


def click(settings: Settings, session: str, event: str, time: int, **more: str | None) -> bytes:
    version = subject("user-event").latest
    record = {
        "eventId": event,
        "userId": more.get("user"),
        "sessionId": session,
        "eventType": more.get("kind", "page_view"),
        "timestamp": time,
        "properties": {"productId": more["product"]} if more.get("product") else {},
        "context": {"userAgent": "x", "ip": "203.0.113.7", "platform": "web", "referrer": None},
        "tenantId": "default",
        "receivedAt": None,
        "experiments": {},
    }
    return encode_record(record, version, schema_ids(settings.registry.url, USER_EVENTS)[version.version])


def order(settings: Settings, transaction: str, time: int, status: str = "completed") -> bytes:
    version = subject("transaction").latest
    line = {"productId": "p", "quantity": 1, "price": 10.0, "category": "c"}
    record = {
        "transactionId": transaction,
        "userId": "u",
        "orderItems": [line],
        "totalAmount": 10.0,
        "currency": "EUR",
        "paymentMethod": "card",
        "status": status,
        "timestamp": time,
        "tenantId": "default",
    }
    return encode_record(record, version, schema_ids(settings.registry.url, TRANSACTIONS)[version.version])


def count(steps: Steps, table: str, version: int) -> int:
    return int(steps.client.command(f"SELECT count() FROM {table} WHERE version = {version}"))


def test_a_day_of_events_is_published_and_published_again(steps: Steps, log: TestTopic) -> None:
    events = of("events", log)
    own = steps.settings
    log.send(
        {
            0: [
                click(own, "a", "1", at(DAY, "10:00:00"), product="p1", user="u1"),
                click(own, "a", "2", at(DAY, "10:05:00"), product="p2"),
                click(own, "a", "1", at(DAY, "10:06:00")),
                click(own, "a", "3", at(DAY, "11:00:00"), kind="purchase", product="p1", user="u1"),
            ],
            1: [
                click(own, "b", "4", at(DAY, "23:55:00")),
                click(own, "b", "5", at(DAY + timedelta(days=1), "00:05:00")),
            ],
        }
    )
    first = steps.run(events, [DAY], CHUNK, accept_loss=False)
    assert first.published.days == (DAY, DAY + timedelta(days=1))
    rows = first.published.rows
    assert [rows[name] for name in ("batch_events", "batch_sessions", "batch_products")] == [5, 3, 2]
    assert count(steps, "batch_sessions", first.published.version) == 3
    assert steps.client.command("SELECT sum(records) FROM batch_landings") == 6

    again = steps.publish(events, DAY, first.published.run)
    assert (again.published, again.version) == (False, first.published.version)

    second = steps.run(events, [DAY], CHUNK, accept_loss=False)
    assert second.published.version > first.published.version
    # The day after is published past all of the session that touches it, so it is left alone.
    assert (second.published.days, second.published.rows["batch_events"]) == ((DAY,), 4)
    with pytest.raises(StalePublication):
        steps.publish(events, DAY, first.published.run, or_newer=True)
    third = steps.run(events, [DAY], CHUNK, accept_loss=False)
    with pytest.raises(StalePublication):
        steps.publish(events, DAY, second.published.run)
    in_place = steps.publish(events, DAY, second.published.run, or_newer=True)
    assert (in_place.published, in_place.version) == (False, third.published.version)

    made = steps.segments(DAY, {"events": third.published.run})
    assert made.rows["user_features"] == {str(DAY): 1}
    older = steps.segments(DAY, {"events": first.published.run})
    assert (older.runs, older.rows) == ({"events": third.published.run}, {})

    figure = (
        "SELECT value FROM daily_breakdowns WHERE dimension = 'all' AND metric = 'conversion_rate'"
        f" AND day = '{DAY}' AND tenant_id = 'default'"
    )
    assert abs(float(steps.client.command(figure)) - 1 / 3) < 1e-9
    found = steps.explain(DAY, "conversion_rate")
    assert [answer["value"] for answer in found.answers] == [1 / 3]
    assert (found.version, found.snapshot_id) == (third.published.version, third.published.snapshot_id)
    assert found.cut == {0: 4, 1: 2}
    assert [(one.partition, one.first_offset, one.last_offset, one.records) for one in found.landings] == [
        (0, 0, 3, 4),
        (1, 0, 0, 1),
    ]
    assert [event["event_id"] for event in found.parts[0].samples] == ["1", "2", "3"]

    told = found.to_markdown()
    assert "| tenant_id | value | layer | late_groups | conversions | sessions |" in told
    assert "| default | 0.3333 | batch | 0 | 1 | 3 |" in told
    assert f"snapshot {third.published.snapshot_id} of the lake" in told

    report = steps.report(DAY)
    assert (report.gates["events"]["passed"], report.complete) == (True, False)
    assert "publication 3" in (report.folder / "report.md").read_text()


def test_maintenance_drops_versions_that_no_reader_can_get(steps: Steps, log: TestTopic) -> None:
    orders = of("orders", log)
    log.send({0: [order(steps.settings, "x", at(DAY, "10:00:00"))]})
    versions = [steps.run(orders, [DAY], CHUNK, accept_loss=False).published.version for _ in range(3)]
    young = steps.maintain(Upkeep(), timedelta(days=1))
    assert young.versions_dropped["batch_orders"] == 0
    old = drop_versions(connect(steps.settings.clickhouse, "admin"), datetime.now(UTC) + timedelta(days=1))
    assert old["batch_orders"] == 1
    assert [count(steps, "batch_orders", version) for version in versions] == [0, 1, 1]


def test_a_backfill_needs_no_stream_goes_on_where_one_died_and_does_no_day_twice(steps: Steps, log: TestTopic) -> None:
    events, own, before = of("events", log), steps.settings, DAY - timedelta(days=1)
    log.send({0: [click(own, "a", "1", at(before, "10:00:00")), click(own, "b", "2", at(DAY, "10:00:00"))]})
    steps.land(events, CHUNK, accept_loss=False)
    one = steps.backfill(events, [before], 1)
    assert (one.published, one.in_place, one.refused) == ((before,), (), ())
    rest = steps.backfill(events, [before, DAY], 1)
    assert (rest.published, rest.in_place) == ((DAY,), (before,))
    assert steps.backfill(events, [before, DAY], 1).published == ()
    assert steps.client.command("SELECT count() FROM batch_publications") == 2


def test_f21_two_backfills_of_one_span_publish_every_day_and_nobody_reads_half_of_one(
    steps: Steps, log: TestTopic, reader: Reader
) -> None:
    events, own = of("events", log), steps.settings
    days = [DAY - timedelta(days=ago) for ago in range(4)]
    log.send({0: [click(own, f"s{day}", f"e{day}{n}", at(day, f"10:0{n}:00")) for day in days for n in range(5)]})
    steps.land(events, CHUNK, accept_loss=False)

    def backfill() -> set[date]:
        with ExitStack() as resources:
            one = Steps(own, lambda: datetime.now(UTC), resources).backfill(events, days, 1)
        assert {*one.published, *one.in_place} == set(days)
        return set(one.published)

    with ThreadPoolExecutor(2) as together:
        both = [together.submit(backfill) for _ in range(2)]
        assert set().union(*(one.result(240) for one in both)) == set(days)
    seen = reader.stop()
    assert {(one.sessions, one.page_views) for one in seen} == {(1, 5)}
    assert {one.day for one in seen} == set(days)
    published = steps.client.query_arrow("SELECT DISTINCT day FROM current_publications WHERE dataset = 'events'")
    assert set(published["day"].to_pylist()) == set(days)


def test_i4_what_befalls_the_lake_never_reaches_a_reader(
    steps: Steps, log: TestTopic, reader: Reader, config: SparkConfig
) -> None:
    events, own = of("events", log), steps.settings
    log.send({0: [click(own, "a", "1", at(DAY, "10:00:00")), click(own, "a", "2", at(DAY, "10:01:00"))]})
    first = steps.run(events, [DAY], CHUNK, accept_loss=False).published

    log.send({0: [click(own, uuid4().hex, uuid4().hex, at(DAY, "11:00:00")) for _ in range(6_000)]})
    with full_disk(), pytest.raises(NoSpace):
        steps.land(events, CHUNK, accept_loss=False)
    landed = steps.land(events, CHUNK, accept_loss=False)
    with full_disk(), pytest.raises(NoSpace):
        steps.recompute(events, [DAY])
    held = files_of(load_table(steps.catalog, events.table), landed.snapshot_id)
    file = Path(urlparse(max(held, key=lambda one: one.rows).uri).path)
    rot(file, 5)
    with pytest.raises(FileDamaged):
        steps.recompute(events, [DAY])
    rot(file, 5)
    results = f"{config.lake.warehouse_uri}/results"
    assert work_until_killed(config.lake, log, results, str(DAY), 2) == -signal.SIGKILL

    second = steps.run(events, [DAY], CHUNK, accept_loss=False).published
    whole = [Answer(DAY, 1, 2, first.version), Answer(DAY, 6_001, 6_002, second.version)]
    assert reader.stop() == whole


def test_orders_are_published_by_the_same_steps(steps: Steps, log: TestTopic) -> None:
    own = steps.settings
    first = order(own, "x", at(DAY, "10:00:00"))
    log.send({0: [first, first, order(own, "x", at(DAY, "12:00:00"), "refunded")], 1: [b"bad"]})
    done = steps.run(of("orders", log), [DAY], CHUNK, accept_loss=False)
    assert done.published.rows["batch_orders"] == 2
    sums = (
        "SELECT sumIf(amount_minor, status = 'completed'), sumIf(amount_minor, status = 'refunded') FROM batch_orders"
    )
    assert steps.client.command(sums) in (["1000", "1000"], [1000, 1000])
    assert done.warnings == tuple(f"{DAY} {name}" for name in ("duplicates_few", "fresh", "dead_letters_few"))


def test_a_day_that_breaks_the_rules_is_not_published(
    steps: Steps, log: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.send({0: [click(steps.settings, "a", "1", at(DAY, "23:00:00"))]})
    events = replace(of("events", log), never_null=("user_id",))
    with pytest.raises(GateRefused) as refused:
        steps.run(events, [DAY], CHUNK, accept_loss=False)
    assert [check.name for check in refused.value.report.checks if not check.passed] == ["user_id_not_null"]
    assert steps.client.command("SELECT count() FROM batch_publications") == 0


def test_today_is_not_published(steps: Steps, log: TestTopic) -> None:
    events = of("events", log)
    steps.land(events, CHUNK, accept_loss=False)
    with pytest.raises(NotYetPublishable):
        steps.recompute(events, [datetime.now(UTC).date()])


def test_the_command_line_tells_what_happened_by_its_exit_code(steps: Steps, log: TestTopic) -> None:
    events, own = of("events", log), steps.settings
    log.send({0: [click(own, "a", "1", at(DAY, "10:00:00"))]})
    first = steps.run(events, [DAY], CHUNK, accept_loss=False)
    asked = ["publish", "--day", DAY.isoformat(), "--dataset", "events", "--json"]
    same = batch(own, *asked)
    assert same.returncode == Code.DONE, same.stderr
    assert json.loads(same.stdout)[0]["published"] is False
    assert f"already in place: events of {DAY}" in same.stderr
    steps.run(events, [DAY], CHUNK, accept_loss=False)
    stale = batch(own, *asked, "--run", first.published.run)
    assert (stale.returncode, "newer" in stale.stderr) == (Code.PUBLICATION_REFUSED, True)
    assert batch(own, *asked, "--run", "0000000001-none").returncode == Code.FAILED
    assert batch(own, "publish", "--day", "yesterday").returncode == 2
    steps.client.command("TRUNCATE TABLE batch_rollup")
    unanswered = batch(own, "report", "--day", DAY.isoformat())
    roll_up_missing(steps.client)
    assert unanswered.returncode == Code.FAILED
    assert unanswered.stderr.startswith(f"error: INCOMPLETE: events of {DAY} are not added up")
    assert "rivermeet prepare" in unanswered.stderr


def batch(own: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    chosen = {
        "RIVERMEET_HOME": str(own.home),
        "RIVERMEET_LAKE__CATALOG_URI": own.lake.catalog_uri,
        "RIVERMEET_LAKE__WAREHOUSE": own.lake.warehouse,
        "RIVERMEET_CLICKHOUSE__PORT": str(own.clickhouse.port),
        "RIVERMEET_CLICKHOUSE__USER": own.clickhouse.user,
        "RIVERMEET_CLICKHOUSE__PASSWORD": own.clickhouse.password.get_secret_value(),
    }
    command = [sys.executable, "-m", "batch", *arguments]
    return subprocess.run(command, env=os.environ | chosen, capture_output=True, text=True, timeout=120, check=False)
