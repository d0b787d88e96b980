"""The batch layer elsewhere, by other settings and the same commands.

A standalone Spark cluster is started on this machine. An object store is used where `RIVERMEET_TEST_S3` names a bucket,
as `s3://bucket?endpoint=http://127.0.0.1:9000&region=…&key=…&secret=…`, and `RIVERMEET_TEST_CATALOG` an empty catalog.
A REST catalog is started on this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlparse
from uuid import uuid4

import polars as pl
import pyspark
import pytest
from polars.testing import assert_frame_equal
from pyiceberg.catalog import Catalog

from batch.lake import LakeConfig, load_table, open_catalog
from batch.land import Lander, LandingOptions, Source
from batch.results import Results
from batch.spark import SOCKETS, SparkConfig, has_module, lake_config
from batch.workers import Workers
from infra.settings import LOOPBACK, ROOT, ClickHouse, load_settings
from infra.stack.state import free_port
from schemas.tables.features import USER_FEATURES
from schemas.tables.lake import EVENTS
from tests.batch.logs import TestTopic, event, judge_json
from tests.batch.runs import migrated_warehouse
from tests.support.long import in_long_runs
from tests.support.rest_catalog import rest_catalog
from tests.support.waiting import until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.timeout(600),
    in_long_runs,
]

DAY = date(2026, 3, 2)
OF_DAY = ("--day", DAY.isoformat())
READY_SECONDS = 60.0
COMMAND_SECONDS = 180.0


@dataclass(frozen=True)
class Cluster:
    """A master with one worker."""

    url: str
    work: Path
    """The worker's folder: one of each application, with one of each executor in it."""


@pytest.fixture(scope="module")
def cluster(config: SparkConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    port, page = free_port(), free_port()
    found = Cluster(f"spark://{LOOPBACK}:{port}", tmp_path_factory.mktemp("work"))
    master = ("master.Master", "--host", LOOPBACK, "--port", str(port), "--webui-port", str(page))
    worker = ("worker.Worker", found.url, "--host", LOOPBACK, "--cores", "2", "--memory", "2g", "--webui-port", "0")
    with ExitStack() as stack:
        stack.enter_context(daemon(config, *master))
        stack.enter_context(daemon(config, *worker, "--work-dir", str(found.work)))
        until(lambda: workers_of(f"http://{LOOPBACK}:{page}/json/") > 0, "a worker of Spark", READY_SECONDS)
        yield found


@contextmanager
def daemon(config: SparkConfig, name: str, *arguments: str) -> Iterator[None]:
    """A process of the cluster, from the jars that pyspark brings; its executors end with it."""
    program = Path(pyspark.__file__).parent / "bin" / "spark-class"
    own = {"JAVA_HOME": str(config.java_home), "SPARK_LOCAL_IP": LOOPBACK}
    process = subprocess.Popen(
        [program, f"org.apache.spark.deploy.{name}", *arguments],
        env=os.environ | own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def workers_of(page: str) -> int:
    """How many workers a master has."""
    try:
        with urllib.request.urlopen(page, timeout=5) as answer:
            return int(json.load(answer)["aliveworkers"])
    except OSError:
        return 0


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with migrated_warehouse(tmp_path_factory.mktemp("standalone")) as settings:
        yield settings


@pytest.fixture
def log(topic: Callable[[int], TestTopic]) -> TestTopic:
    """A day of two visitors."""
    log = topic(2)
    for partition, session in enumerate("ab"):
        log.send({partition: [visit(session, place) for place in range(30)]})
    return log


def land(workers: Workers, log: TestTopic, lake: LakeConfig) -> Catalog:
    catalog = open_catalog(lake)
    source = Source(log.name, EVENTS, judge_json)
    kafka = {"bootstrap.servers": log.bootstrap}
    clock = lambda: datetime(2026, 3, 9, tzinfo=UTC)  # noqa: E731
    Lander(workers, catalog, lake.storage, kafka, source, LandingOptions(), clock).land()
    return catalog


def visit(session: str, place: int) -> bytes:
    at = f"{DAY}T10:{place:02}:00"
    return event(session, f"{session}{place}", at, product=f"p{place % 3}", user=f"user-{session}")


def test_a_day_is_computed_on_a_standalone_cluster_by_settings_alone(
    cluster: Cluster, config: SparkConfig, warehouse: ClickHouse, workers: Workers, catalog: Catalog, log: TestTopic
) -> None:
    land(workers, log, config.lake)
    here = settings_of(config, warehouse) | {
        "RIVERMEET_LAKE__CATALOG_URI": config.lake.catalog_uri,
        "RIVERMEET_LAKE__WAREHOUSE": config.lake.warehouse,
    }
    there = here | {
        "RIVERMEET_SPARK__MASTER": cluster.url,
        "RIVERMEET_SPARK__DRIVER_MEMORY": "1g",
        "RIVERMEET_SPARK__INLINE_ROWS": "0",
        "SPARK_LOCAL_IP": LOOPBACK,
    }
    on_cluster = computed(there, catalog, config.lake)
    executors = sorted(cluster.work.glob("app-*/*/stdout"))
    assert len({file.parent.parent for file in executors}) == 3, "validate, recompute and segments had one each"
    in_process = computed(here, catalog, config.lake)
    assert len(list(cluster.work.glob("app-*"))) == 3
    assert_same(on_cluster, in_process)


@pytest.mark.skipif("RIVERMEET_TEST_S3" not in os.environ, reason="needs a bucket: set RIVERMEET_TEST_S3")
def test_a_day_is_computed_in_an_object_store_by_settings_alone(
    config: SparkConfig, warehouse: ClickHouse, workers: Workers, log: TestTopic
) -> None:
    given = urlparse(os.environ["RIVERMEET_TEST_S3"])
    access = dict(parse_qsl(given.query))
    here = settings_of(config, warehouse) | {
        "RIVERMEET_LAKE__CATALOG_URI": os.environ.get("RIVERMEET_TEST_CATALOG", f"jdbc:sqlite:{config.state}/s3.db"),
        "RIVERMEET_LAKE__WAREHOUSE": f"s3://{given.netloc}/{uuid4().hex}",
        "RIVERMEET_LAKE__S3__ENDPOINT": access["endpoint"],
        "RIVERMEET_LAKE__S3__REGION": access["region"],
        "RIVERMEET_LAKE__S3__ACCESS_KEY": access["key"],
        "RIVERMEET_LAKE__S3__SECRET_KEY": access["secret"],
        "RIVERMEET_LAKE__S3__PATH_STYLE": "true",
    }
    both_ways(here, workers, log)


def test_a_day_is_computed_with_a_rest_catalog_by_settings_alone(
    config: SparkConfig, warehouse: ClickHouse, workers: Workers, log: TestTopic, tmp_path: Path
) -> None:
    if not (java := shutil.which("java")) or not has_module(java_home := Path(java).resolve().parents[1], SOCKETS):
        pytest.skip(f"Spark's client of the catalog needs a Java with the module {SOCKETS} on the path")
    with rest_catalog(load_settings().cache, tmp_path) as url:
        here = settings_of(config, warehouse) | {
            "RIVERMEET_LAKE__CATALOG_URI": url,
            "RIVERMEET_LAKE__WAREHOUSE": str(tmp_path / "warehouse"),
            "RIVERMEET_SPARK__JAVA_HOME": str(java_home),
        }
        both_ways(here, workers, log)


def both_ways(here: dict[str, str], workers: Workers, log: TestTopic) -> None:
    """A day that is landed comes out the same in the command's process and on Spark, and the lake can be kept up."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in here.items():
            environment.setenv(name, value)
        lake = lake_config(load_settings())
    catalog = land(workers, log, lake)
    in_process = computed(here, catalog, lake)
    on_spark = computed(here | {"RIVERMEET_SPARK__INLINE_ROWS": "0"}, catalog, lake)
    batch(here, "maintenance")
    assert_same(on_spark, in_process)


def settings_of(config: SparkConfig, warehouse: ClickHouse) -> dict[str, str]:
    return {
        "RIVERMEET_HOME": str(config.state),
        "RIVERMEET_CLICKHOUSE__PORT": str(warehouse.port),
        "RIVERMEET_CLICKHOUSE__USER": warehouse.user,
        "RIVERMEET_CLICKHOUSE__PASSWORD": warehouse.password.get_secret_value(),
        "RIVERMEET_CLICKHOUSE__ADMIN__PASSWORD": warehouse.admin.password.get_secret_value(),
    }


def assert_same(made: Mapping[str, pl.DataFrame], expected: Mapping[str, pl.DataFrame]) -> None:
    assert made.keys() == expected.keys()
    for name, rows in expected.items():
        assert rows.height, name
        assert_frame_equal(made[name], rows, check_row_order=False)


def computed(settings: dict[str, str], catalog: Catalog, lake: LakeConfig) -> dict[str, pl.DataFrame]:
    """What the commands make of the day under the settings."""
    assert batch(settings, "validate", *OF_DAY, "--dataset", "events")[0]["passed"]
    [manifest] = batch(settings, "recompute", *OF_DAY, "--dataset", "events")
    batch(settings, "segments", *OF_DAY)
    results = Results(f"{lake.warehouse_uri}/results", lake.storage)
    done = results.manifest("events", str(manifest["run"]))
    made = {name: pl.concat(list(results.frames(done, name))) for name in ("batch_events", "batch_sessions")}
    features = load_table(catalog, USER_FEATURES).scan().to_arrow()
    return made | {"user_features": pl.DataFrame(features)}


def batch(settings: dict[str, str], command: str, *arguments: str) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "batch", command, *arguments, "--json"],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    return said if isinstance(said, list) else [said]
