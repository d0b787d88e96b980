"""The lake under faults: processes killed while they write, a full disk, files that rot. Nothing half of it counts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlparse
from uuid import uuid4

import pytest
from pyiceberg.catalog import Catalog

from batch.files import FileDamaged, NoSpace, check
from batch.lake import create_tables, files_of, load_table
from batch.land import Lander, LandingOptions, Source
from batch.landings import commits
from batch.recompute import Recompute
from batch.results import NoSuchRun, Results
from batch.snapshot import pin
from batch.spark import SparkConfig
from batch.storage import Storage
from batch.workers import Workers
from infra.settings import ROOT
from schemas.sessions import SessionRules
from schemas.tables.features import USER_FEATURES
from schemas.tables.lake import EVENTS
from tests.batch.breaking import full_disk, rot, work_until_killed
from tests.batch.logs import TestTopic, event, judge_json
from tests.support.long import LONG, in_long_runs

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

DAY = date(2026, 3, 2)
LATER = datetime(2026, 3, 9, tzinfo=UTC)

Dies = Callable[[str, int], int]


@pytest.fixture
def log(topic: Callable[[int], TestTopic]) -> TestTopic:
    return topic(2)


@pytest.fixture
def lander(workers: Workers, catalog: Catalog, log: TestTopic) -> Lander:
    source = Source(log.name, EVENTS, judge_json)
    kafka = {"bootstrap.servers": log.bootstrap}
    create_tables(catalog, [EVENTS])
    return Lander(workers, catalog, Storage(), kafka, source, LandingOptions(), lambda: LATER)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path.as_uri())


@pytest.fixture
def dies(config: SparkConfig, log: TestTopic, results: Results) -> Dies:
    return partial(work_until_killed, config.lake, log, results.root)


def some(session: str) -> list[bytes]:
    return [event(session, f"{session}{n}", f"2026-03-02T10:0{n}:00", product="p") for n in range(4)]


def many(count: int) -> list[bytes]:
    return [event(uuid4().hex, uuid4().hex, "2026-03-02T10:00:00", product=uuid4().hex) for _ in range(count)]


def landed(lander: Lander) -> int:
    table = load_table(lander.catalog, EVENTS)
    return table.scan().to_arrow().num_rows if commits(table) else 0


def recompute(lander: Lander, results: Results) -> Recompute:
    table = load_table(lander.catalog, EVENTS)
    pinned = pin(table, EVENTS)
    return Recompute(lander.workers, results, pinned, files_of(table, pinned.snapshot_id), {}, SessionRules())


def test_f20_work_killed_while_it_writes_leaves_nothing_half_and_is_done_right_again(
    lander: Lander, log: TestTopic, results: Results, dies: Dies
) -> None:
    log.send({0: [*some("a"), b"bad"], 1: some("b")})
    for at in range(1, 100 if LONG else 2):
        if dies("land", at) != -signal.SIGKILL:
            break
        assert landed(lander) == 0, at
    lander.land()
    assert landed(lander) == 8

    for at in range(1, 100) if LONG else [2]:
        if dies(str(DAY), at) != -signal.SIGKILL:
            break
        with pytest.raises(NoSuchRun):
            results.newest("events", DAY)
    recompute(lander, results).events([DAY])
    done = results.newest("events", DAY)
    assert results.rows_by_day(done, "batch_events") == {DAY: 8}
    assert results.rows_by_day(done, "batch_sessions") == {DAY: 2}


@in_long_runs
def test_f20_a_driver_of_spark_killed_while_it_writes_has_committed_nothing(
    config: SparkConfig, lander: Lander, log: TestTopic
) -> None:
    log.send({0: [event("a", str(n), f"{DAY}T10:0{n}:00", product="p", user="u") for n in range(9)]})
    lander.land()
    recompute(lander, Results(f"{config.lake.warehouse_uri}/results")).events([DAY])
    create_tables(lander.catalog, [USER_FEATURES])
    folder = Path(urlparse(load_table(lander.catalog, USER_FEATURES).location()).path)
    shutil.rmtree(folder / "data", ignore_errors=True)

    driver = segments(config)
    while not list(folder.glob("data/**/*.parquet")):
        assert driver.poll() is None, "it ended before it wrote"
        time.sleep(0.005)
    os.killpg(driver.pid, signal.SIGKILL)
    assert driver.wait(30) == -signal.SIGKILL
    assert load_table(lander.catalog, USER_FEATURES).current_snapshot() is None

    assert segments(config).wait(180) == 0
    assert load_table(lander.catalog, USER_FEATURES).scan().to_arrow()["user_id"].to_pylist() == ["u"]


def segments(config: SparkConfig) -> subprocess.Popen[bytes]:
    """Makes the features of users on Spark, in a group of processes of its own."""
    chosen = {
        "RIVERMEET_HOME": str(config.state),
        "RIVERMEET_LAKE__CATALOG_URI": config.lake.catalog_uri,
        "RIVERMEET_LAKE__WAREHOUSE": config.lake.warehouse,
        "RIVERMEET_SPARK__INLINE_ROWS": "0",
    }
    command = [sys.executable, "-m", "batch", "segments", "--day", DAY.isoformat()]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | chosen, start_new_session=True)


def test_f16_a_full_disk_stops_a_landing_which_has_landed_nothing(lander: Lander, log: TestTopic) -> None:
    log.send({0: many(3_000), 1: some("a")})
    with full_disk(), pytest.raises(NoSpace, match=r"no space left for file://.*\.parquet"):
        lander.land()
    assert landed(lander) == 0
    folder = urlparse(load_table(lander.catalog, EVENTS).location()).path
    for file in Path(folder).rglob("*.parquet"):
        check(Storage(), file.as_uri())
    lander.land()
    assert landed(lander) == 3_004


def test_f16_a_full_disk_stops_a_recompute_which_is_no_run(lander: Lander, log: TestTopic, results: Results) -> None:
    log.send({0: many(3_000)})
    lander.land()
    with full_disk(), pytest.raises(NoSpace, match="batch_events"):
        recompute(lander, results).events([DAY])
    with pytest.raises(NoSuchRun):
        results.newest("events", DAY)
    done = recompute(lander, results).events([DAY])
    assert results.rows_by_day(done, "batch_events") == {DAY: 3_000}


@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_f26_a_file_that_rots_is_found_and_named(lander: Lander, log: TestTopic, results: Results, place: str) -> None:
    log.send({0: some("a"), 1: some("b")})
    lander.land()
    recompute(lander, results).events([DAY])
    [file] = [Path(urlparse(one.uri).path) for one in recompute(lander, results).files][:1]
    rot(file, {"start": 5, "middle": file.stat().st_size // 2, "end": file.stat().st_size - 9}[place])
    with pytest.raises(FileDamaged, match=f"{file.name} has the checksum"):
        recompute(lander, Results(f"{results.root}/after")).events([DAY])
    with pytest.raises(NoSuchRun):
        Results(f"{results.root}/after").newest("events", DAY)


def test_f26_a_file_that_is_gone_is_named(lander: Lander, log: TestTopic, results: Results) -> None:
    log.send({0: some("a")})
    lander.land()
    [file] = [Path(urlparse(one.uri).path) for one in recompute(lander, results).files]
    file.unlink()
    with pytest.raises(FileDamaged, match=f"{file.name} is missing"):
        recompute(lander, results).events([DAY])
