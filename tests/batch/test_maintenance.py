"""Upkeep changes no answer: what was landed stays known, what counts stays readable, whatever lands meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyiceberg.catalog import Catalog

from batch.lake import load_table
from batch.land import Lander, LandingOptions, Source
from batch.landings import KEPT_FROM, LakeHistoryBroken, commits
from batch.maintenance import Keeper, Upkeep
from batch.ranges import covered_by
from batch.snapshot import DayForgotten, pin
from batch.spark import SparkConfig
from batch.storage import Storage
from batch.workers import Workers
from schemas.frames import EVENT_COLUMNS
from schemas.tables.lake import EVENTS, from_arrow
from tests.batch.logs import TestTopic, event, judge_json

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

NOON = datetime(2100, 3, 2, 12, tzinfo=UTC)
NOW = Upkeep(snapshots=timedelta(0), orphans=timedelta(0), small_files=2)
DAY = date(2026, 3, 2)


@pytest.fixture
def log(topic: Callable[[int], TestTopic]) -> TestTopic:
    return topic(2)


@pytest.fixture
def lander(workers: Workers, catalog: Catalog, log: TestTopic) -> Lander:
    source, kafka = Source(log.name, EVENTS, judge_json), {"bootstrap.servers": log.bootstrap}
    return Lander(workers, catalog, Storage(), kafka, source, LandingOptions(), lambda: NOON)


def keeper(lander: Lander, upkeep: Upkeep = NOW) -> Keeper:
    return Keeper(lander.catalog, Storage(), upkeep, lambda: datetime.now(UTC))


def land(lander: Lander, log: TestTopic, *numbers: int) -> None:
    for number in numbers:
        log.send({number % 2: [event("s", str(number), f"2026-03-02T10:{number:02}:00")]})
        lander.land()


def rows(lander: Lander) -> pl.DataFrame:
    found = from_arrow(load_table(lander.catalog, EVENTS).scan().to_arrow(), EVENT_COLUMNS)
    return found.sort("log_partition", "log_offset")


def test_what_was_landed_stays_known_when_its_snapshots_are_gone(lander: Lander, log: TestTopic) -> None:
    land(lander, log, 0, 1, 2, 3)
    before, offsets = rows(lander), covered_by(commits(load_table(lander.catalog, EVENTS)), 1)
    done = keeper(lander).keep(EVENTS)
    assert done is not None
    assert (done.files_before, done.files_after, done.rewritten_days, done.snapshots_expired) == (4, 1, (DAY,), 4)
    table = load_table(lander.catalog, EVENTS)
    assert len(table.snapshots()) == 1
    assert covered_by(commits(table), 1) == offsets
    (kept,) = commits(table)
    assert (kept.landed.records, sum(day.records for day in kept.landed.days)) == (4, 4)
    assert_frame_equal(rows(lander), before)
    land(lander, log, 4)
    assert [commit.landed.start for commit in commits(load_table(lander.catalog, EVENTS))] == [
        {0: 0, 1: 0},
        {0: 2, 1: 2},
    ]


def test_upkeep_again_and_again_keeps_the_whole_history(lander: Lander, log: TestTopic) -> None:
    for number in range(4):
        land(lander, log, number)
        keeper(lander).keep(EVENTS)
    assert covered_by(commits(load_table(lander.catalog, EVENTS)), 1).offsets == {0: 2, 1: 2}
    assert pin(load_table(lander.catalog, EVENTS), EVENTS).landed_rows([DAY]) == rows(lander).height == 4


def test_a_landing_in_the_middle_of_it_is_kept(lander: Lander, log: TestTopic, monkeypatch: pytest.MonkeyPatch) -> None:
    land(lander, log, 0, 1, 2)
    rewrite, meanwhile = Keeper._rewrite, [3]

    def slow(self: Keeper, *asked: object) -> object:
        made = list(rewrite(self, *asked))  # type: ignore[arg-type]  # handed on as they come
        land(lander, log, *meanwhile)
        meanwhile.clear()
        return made

    monkeypatch.setattr(Keeper, "_rewrite", slow)
    keeper(lander).keep(EVENTS)
    assert rows(lander)["event_id"].sort().to_list() == ["0", "1", "2", "3"]
    assert covered_by(commits(load_table(lander.catalog, EVENTS)), 1).offsets == {0: 2, 1: 2}


def test_upkeep_in_the_middle_of_a_landing_does_not_stop_it(
    lander: Lander, log: TestTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lander, log, 0, 1)
    stage, rounds = Lander._stage, [1]

    def slow(self: Lander, *asked: object) -> object:
        staged = stage(self, *asked)  # type: ignore[arg-type]  # handed on as they come
        if rounds:
            rounds.pop()
            keeper(lander, replace(NOW, orphans=timedelta(days=3))).keep(EVENTS)
        return staged

    monkeypatch.setattr("batch.commits.random.uniform", lambda *_: 0)
    monkeypatch.setattr(Lander, "_stage", slow)
    land(lander, log, 2)
    assert rows(lander)["event_id"].sort().to_list() == ["0", "1", "2"]
    assert covered_by(commits(load_table(lander.catalog, EVENTS)), 1).offsets == {0: 2, 1: 1}


def test_two_landings_at_once_commit_a_range_once(
    lander: Lander, log: TestTopic, config: SparkConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, rounds = Lander._stage, [1]

    def files() -> set[Path]:
        return set(Path(config.lake.warehouse).rglob("*.parquet"))

    def slow(self: Lander, *asked: object) -> object:
        staged = stage(self, *asked)  # type: ignore[arg-type]  # handed on as they come
        if rounds:
            rounds.pop()
            lander.land()
        return staged

    monkeypatch.setattr(Lander, "_stage", slow)
    before = files()
    land(lander, log, 0)
    assert rows(lander)["event_id"].to_list() == ["0"]
    assert [commit.landed.records for commit in commits(load_table(lander.catalog, EVENTS))] == [1, 0]
    assert len(files() - before) == 1


def test_files_that_nothing_names_go_once_they_are_old(lander: Lander, log: TestTopic) -> None:
    land(lander, log, 0)
    folder = Path(load_table(lander.catalog, EVENTS).location().removeprefix("file://")) / "data"
    left = folder / "day=2026-03-02" / "left-by-a-worker-that-died.parquet"
    left.write_bytes(b"x")
    keeper(lander, replace(NOW, orphans=timedelta(days=10**5))).keep(EVENTS)
    assert left.exists()
    os.utime(left, (0, 0))
    keeper(lander).keep(EVENTS)
    assert not left.exists()
    assert rows(lander).height == 1


def test_days_past_their_time_go_and_are_not_computed_as_empty(lander: Lander, log: TestTopic) -> None:
    log.send({0: [event("s", "old", "2100-02-20T10:00:00"), event("s", "new", "2100-03-01T10:00:00")]})
    lander.land()
    done = replace(keeper(lander, replace(NOW, days=5)), clock=lambda: NOON).keep(EVENTS)
    assert done is not None
    assert (done.kept_from, rows(lander)["event_id"].to_list()) == (date(2100, 2, 25), ["new"])
    pinned = pin(load_table(lander.catalog, EVENTS), EVENTS)
    assert pinned.coverage.end == {0: 2, 1: 0}
    pinned.check_kept([date(2100, 2, 25)])
    with pytest.raises(DayForgotten):
        pinned.check_kept([date(2100, 2, 24)])
    assert KEPT_FROM in load_table(lander.catalog, EVENTS).properties


def test_snapshots_that_were_expired_without_keeping_what_they_landed_are_an_error(
    lander: Lander, log: TestTopic
) -> None:
    land(lander, log, 0, 1)
    table = load_table(lander.catalog, EVENTS)
    table.maintenance.expire_snapshots().by_id(table.snapshots()[0].snapshot_id).commit()
    with pytest.raises(LakeHistoryBroken):
        commits(load_table(lander.catalog, EVENTS))
