"""A recompute gives what the pure functions give on everything that was landed, wherever it runs."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyiceberg.catalog import Catalog
from pyspark.sql import SparkSession

from batch.fold import event_tables, fold_events
from batch.lake import create_tables, files_of, load_table
from batch.land import Lander, LandingOptions, Source
from batch.publication import NotYetPublishable, Publication
from batch.ranges import Covered
from batch.recompute import Recompute
from batch.results import RESULT_TABLES, Manifest, NoSuchRun, Results
from batch.scan import Share
from batch.snapshot import NothingLanded, pin
from batch.storage import Storage
from batch.work import Folded, FoldEvents
from batch.workers import Workers
from schemas.frames import EVENT_COLUMNS, empty
from schemas.sessions import SessionRules
from schemas.tables.lake import EVENTS, from_arrow
from tests.batch.logs import TestTopic, event, judge_json

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

RULES = SessionRules()
MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)
LATER = datetime(2026, 3, 9, tzinfo=UTC)
KEYS = ("day", "tenant_id", "session_id", "log_partition", "session_start", "product_id", "log_offset")
Topics = Callable[[int], TestTopic]


@pytest.fixture
def log(topic: Topics) -> TestTopic:
    return topic(3)


@pytest.fixture
def lander(workers: Workers, catalog: Catalog, log: TestTopic) -> Lander:
    source = Source(log.name, EVENTS, judge_json)
    kafka = {"bootstrap.servers": log.bootstrap}
    return Lander(workers, catalog, Storage(), kafka, source, LandingOptions(), lambda: LATER)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path.as_uri())


def recompute(lander: Lander, results: Results, published: Iterable[Publication] = ()) -> Recompute:
    table = load_table(lander.catalog, EVENTS)
    pinned = pin(table, EVENTS)
    files = files_of(table, pinned.snapshot_id)
    return Recompute(lander.workers, results, pinned, files, {one.day: one for one in published}, RULES)


def landed(lander: Lander) -> pl.DataFrame:
    return from_arrow(load_table(lander.catalog, EVENTS).scan().to_arrow(), EVENT_COLUMNS)


def table(results: Results, manifest: Manifest, name: str) -> pl.DataFrame:
    frame = pl.concat([empty(RESULT_TABLES[name].frame_schema), *results.frames(manifest, name)])
    return frame.sort([key for key in KEYS if key in frame.columns])


def expected(rows: pl.DataFrame, days: Iterable[date], name: str) -> pl.DataFrame:
    frame = event_tables(*fold_events(rows, RULES), list(days))[name]
    return frame.sort([key for key in KEYS if key in frame.columns])


def random_events(seed: int, count: int) -> dict[int, list[bytes]]:
    """Events of few sessions around two midnights, some of them twice, also at another time."""
    draw = random.Random(seed)
    records: dict[int, list[bytes]] = {0: [], 1: [], 2: []}
    for _ in range(count):
        session = draw.randrange(40)
        at = datetime(2026, 3, 3 + draw.randrange(2), tzinfo=UTC) + timedelta(minutes=draw.randrange(-300, 300))
        kind = draw.choice(["page_view", "page_view", "click", "purchase", "add_to_cart", "search"])
        names = {"page": f"/{draw.randrange(5)}", "product": f"p{draw.randrange(6)}", "user": f"u{draw.randrange(9)}"}
        more = {name: value for name, value in names.items() if draw.random() < 0.7}
        id_ = f"e{draw.randrange(count * 2 // 3)}"
        records[session % 3].append(event(f"s{session}", id_, f"{at:%Y-%m-%dT%H:%M:%S}", kind, **more))
    return records


def test_days_are_what_the_pure_functions_make_of_all_that_was_landed(
    lander: Lander, log: TestTopic, results: Results
) -> None:
    log.send(random_events(1, 1500))
    lander.land()
    log.send(random_events(2, 1500))
    lander.land()
    manifest = recompute(lander, results).events([TUESDAY])
    assert manifest.days == (MONDAY, TUESDAY, WEDNESDAY)
    for name in ("batch_events", "batch_sessions", "batch_products"):
        assert_frame_equal(
            table(results, manifest, name), expected(landed(lander), manifest.days, name), check_column_order=False
        )


def test_a_range_that_was_landed_twice_counts_once(lander: Lander, log: TestTopic, results: Results) -> None:
    log.send(random_events(3, 300))
    lander.land()
    once = landed(lander)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batch.land.commits", lambda table: [])
        patch.setattr(Lander, "_report", lambda *_: None)
        lander.land()
    assert landed(lander).height == 2 * once.height
    manifest = recompute(lander, results).events([TUESDAY])
    for name in ("batch_events", "batch_products"):
        assert_frame_equal(
            table(results, manifest, name), expected(once, manifest.days, name), check_column_order=False
        )


def test_rows_past_a_gap_are_not_read(lander: Lander, log: TestTopic, results: Results) -> None:
    log.send({0: [event("a", str(i), f"2026-03-02T10:0{i}:00") for i in range(2)]})
    lander.land()
    log.send({0: [event("a", str(i), f"2026-03-02T10:0{i}:00") for i in range(2, 4)]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batch.land.covered_by", lambda *_: Covered({0: 3, 1: 0, 2: 0}, {}))
        lander.land()
    assert sorted(landed(lander)["log_offset"]) == [0, 1, 3]
    assert pin(load_table(lander.catalog, EVENTS), EVENTS).coverage.end == {0: 2, 1: 0, 2: 0}
    manifest = recompute(lander, results).events([MONDAY])
    assert table(results, manifest, "batch_events")["event_id"].to_list() == ["0", "1"]


def test_the_same_snapshot_gives_the_same_rows_after_more_was_landed(
    lander: Lander, log: TestTopic, results: Results
) -> None:
    log.send(random_events(4, 200))
    first = lander.land()
    before = recompute(lander, results).events([TUESDAY])
    log.send(random_events(5, 200))
    lander.land()
    events = load_table(lander.catalog, EVENTS)
    pinned, files = pin(events, EVENTS, first.snapshot_id), files_of(events, first.snapshot_id)
    again = replace(recompute(lander, results), pinned=pinned, files=files).events([TUESDAY])
    assert (again.coverage, again.days, again.run != before.run) == (before.coverage, before.days, True)
    for name in ("batch_events", "batch_sessions", "batch_products"):
        assert_frame_equal(table(results, again, name), table(results, before, name))


def test_a_day_whose_cut_is_past_the_session_is_left_alone(lander: Lander, log: TestTopic, results: Results) -> None:
    log.send({0: [event("a", "1", "2026-03-02T23:50:00"), event("a", "2", "2026-03-03T00:10:00")]})
    lander.land()
    assert recompute(lander, results).events([TUESDAY]).days == (MONDAY, TUESDAY)
    cut = {0: 2, 1: 0, 2: 0}
    monday = Publication("events", MONDAY, 1, "x", 1, 1, cut, 1, sealed=False, definition=RULES.definition)
    alone = recompute(lander, results, [monday]).events([TUESDAY])
    assert alone.days == (TUESDAY,)
    assert results.rows_by_day(alone, "batch_sessions") == {}
    assert table(results, alone, "batch_events")["event_id"].to_list() == ["2"]
    assert results.reach(alone)["event_days"].to_list() == [[MONDAY, TUESDAY]]


def test_days_that_move_along_are_folded_by_themselves_and_no_day_twice(
    lander: Lander, log: TestTopic, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.send(random_events(8, 600))
    lander.land()
    at_once = recompute(lander, results).events([MONDAY, TUESDAY, WEDNESDAY])
    asked: list[tuple[date, ...]] = []
    fold = FoldEvents.__call__

    def noted(work: FoldEvents, share: Share) -> Folded:
        asked.append(work.days)
        return fold(work, share)

    monkeypatch.setattr(FoldEvents, "__call__", noted)
    one_by_one = recompute(lander, results).events([TUESDAY])
    assert one_by_one.days == at_once.days
    folds = list(dict.fromkeys(asked))
    assert folds[0] == (TUESDAY,)
    assert sorted(day for days in folds for day in days) == list(one_by_one.days)
    for name in ("batch_events", "batch_sessions", "batch_products", "batch_breakdowns"):
        assert_frame_equal(table(results, one_by_one, name), table(results, at_once, name))


def test_a_chain_of_sessions_takes_days_along(lander: Lander, log: TestTopic, results: Results) -> None:
    log.send(
        {
            0: [event("a", "1", "2026-03-02T23:50:00"), event("a", "2", "2026-03-03T00:10:00")],
            1: [event("b", "3", "2026-03-03T23:50:00"), event("b", "4", "2026-03-04T00:10:00")],
        }
    )
    lander.land()
    manifest = recompute(lander, results).events([MONDAY])
    assert manifest.days == (MONDAY, TUESDAY, WEDNESDAY)
    assert table(results, manifest, "batch_events")["event_id"].to_list() == ["1", "2", "3", "4"]


def test_a_day_is_not_computed_before_it_can_be_published(lander: Lander, log: TestTopic, results: Results) -> None:
    log.send({0: [event("a", "1", "2026-03-09T10:00:00")]})
    lander.land()
    with pytest.raises(NotYetPublishable):
        recompute(lander, results).events([date(2026, 3, 9)])


def test_an_empty_day_is_a_result_too(lander: Lander, results: Results) -> None:
    lander.land()
    manifest = recompute(lander, results).events([MONDAY])
    assert manifest.days == (MONDAY,)
    assert manifest.coverage.end == {0: 0, 1: 0, 2: 0}
    assert results.rows_by_day(manifest, "batch_events") == {}


def test_what_is_not_finished_cannot_be_read(lander: Lander, results: Results) -> None:
    create_tables(lander.catalog, [EVENTS])
    with pytest.raises(NothingLanded):
        pin(load_table(lander.catalog, EVENTS), EVENTS)
    with pytest.raises(NoSuchRun):
        results.manifest("events", "0000000001-x")


def test_a_manifest_survives_its_file(lander: Lander, results: Results) -> None:
    lander.land()
    manifest = recompute(lander, results).events([MONDAY])
    assert results.manifest("events", manifest.run) == manifest


def test_spark_and_this_process_leave_the_same_files(
    lander: Lander, log: TestTopic, results: Results, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.send(random_events(6, 900))
    on_spark = replace(lander, workers=Workers(lambda: spark, inline_rows=0))
    on_spark.land()
    here = recompute(lander, results).events([TUESDAY])
    monkeypatch.setattr("batch.recompute.ROWS_PER_SHARE", 100)
    there = recompute(on_spark, results).events([TUESDAY])
    assert len(there.files["batch_sessions"]) > len(here.files["batch_sessions"])
    for name in here.files:
        assert_frame_equal(table(results, there, name), table(results, here, name))


def test_the_same_snapshot_gives_identical_files(lander: Lander, log: TestTopic, results: Results) -> None:
    log.send(random_events(7, 600))
    lander.land()
    first, second = (recompute(lander, results).events([TUESDAY]) for _ in range(2))
    assert first.files == second.files
    for name in (file for files in first.files.values() for file in files):
        one, other = (Path(results.uri("events", run.run, name).removeprefix("file://")) for run in (first, second))
        assert one.read_bytes() == other.read_bytes()


def test_no_task_of_spark_looks_for_imports_in_archives(spark: SparkSession) -> None:
    [found] = spark.sparkContext.parallelize([0], 1).map(lambda _: sys.path).collect()
    assert [place for place in found if place.endswith((".jar", ".zip"))] == []
