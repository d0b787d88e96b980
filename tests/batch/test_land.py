"""Landing from real Kafka into Iceberg."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from batch.lake import append, load_table
from batch.land import Lander, LandingOptions, Source
from batch.landings import commits
from batch.log import read_ends
from batch.ranges import LogReplaced, RecordsExpired, covered_by
from batch.storage import Storage
from batch.workers import Workers
from schemas.frames import EVENT_COLUMNS
from schemas.tables.lake import DEAD_LETTERS, EVENTS, LakeTable, from_arrow
from tests.batch.logs import TestTopic, event, judge_json

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

NOON = datetime(2100, 3, 2, 12, tzinfo=UTC)
Topics = Callable[[int], TestTopic]


@pytest.fixture
def lander(workers: Workers, catalog: Catalog, topic: Topics) -> Lander:
    source = Source(topic(3).name, EVENTS, judge_json)
    return Lander(workers, catalog, Storage(), {}, source, LandingOptions(), lambda: NOON)


def of(lander: Lander, log: TestTopic, **options: object) -> Lander:
    source = replace(lander.source, topic=log.name)
    kafka = {"bootstrap.servers": log.bootstrap}
    return replace(lander, kafka=kafka, source=source, options=LandingOptions(**options))  # type: ignore[arg-type]  # options by name


def rows(lander: Lander, table: LakeTable = EVENTS) -> pl.DataFrame:
    return from_arrow(load_table(lander.catalog, table).scan().to_arrow(), table.columns)


def positions(lander: Lander, table: LakeTable = EVENTS) -> list[tuple[int, int]]:
    return sorted(rows(lander, table).select("log_partition", "log_offset").iter_rows())


def test_every_record_lands_once_with_its_position(lander: Lander, topic: Topics) -> None:
    log = topic(3)
    log.send(
        {0: [event("s", "a", "2026-03-02T10:00:00"), b"bad"], 2: [event("t", "b", "2026-03-01T23:59:59", page="/x")]}
    )
    report = of(lander, log).land()
    assert (report.records, report.dead_letters, report.end) == (3, 1, {0: 2, 1: 0, 2: 1})
    assert positions(lander) == [(0, 0), (2, 0)]
    found = rows(lander).filter(session_id="t").row(0, named=True)
    assert found["event_time"] == datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    assert {"key": "page", "value": "/x"} in found["properties"]
    dead = rows(lander, DEAD_LETTERS).row(0, named=True)
    assert (dead["topic"], dead["log_partition"], dead["log_offset"], dead["value"]) == (log.name, 0, 1, b"bad")


def test_the_next_landing_begins_where_the_lake_ends(lander: Lander, topic: Topics) -> None:
    log = topic(2)
    log.send({0: [event("s", "a", "2026-03-02T10:00:00")]})
    first = of(lander, log).land()
    log.send({0: [event("s", "b", "2026-03-02T10:01:00")], 1: [event("t", "c", "2026-03-02T10:02:00")]})
    second = of(lander, log).land()
    assert (second.start, second.end) == (first.end, {0: 2, 1: 1})
    assert positions(lander) == [(0, 0), (0, 1), (1, 0)]


def test_a_landing_without_new_records_still_says_until_when_it_knows(lander: Lander, topic: Topics) -> None:
    log = topic(1)
    of(lander, log).land()
    later = NOON.replace(hour=13)
    report = replace(of(lander, log), clock=lambda: later).land()
    assert (report.records, report.landed_until) == (0, later)


def test_chunks_bound_a_commit_and_claim_no_more_than_they_bring(lander: Lander, topic: Topics) -> None:
    log = topic(2)
    log.send({p: [event("s", f"{p}{i}", "2026-03-02T10:00:00") for i in range(5)] for p in (0, 1)})
    report = of(lander, log, chunk=4).land()
    assert (report.commits, report.records) == (3, 10)
    history = commits(load_table(lander.catalog, EVENTS))
    assert [commit.landed.end for commit in history] == [{0: 2, 1: 2}, {0: 4, 1: 4}, {0: 5, 1: 5}]
    assert [commit.landed.taken_at == NOON for commit in history] == [False, False, True]
    assert positions(lander) == [(p, i) for p in (0, 1) for i in range(5)]


def dies_at_events(table: Table, files: Iterable[str], properties: Mapping[str, str]) -> None:
    if properties:
        raise RuntimeError("killed")
    append(table, files, properties)


def test_a_landing_that_dies_after_its_dead_letters_has_landed_nothing(lander: Lander, topic: Topics) -> None:
    log = topic(1)
    log.send({0: [b"bad", event("s", "a", "2026-03-02T10:00:00")]})
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr("batch.land.append", dies_at_events)
        of(lander, log).land()
    assert not commits(load_table(lander.catalog, EVENTS))
    of(lander, log).land()
    assert positions(lander) == [(0, 1)]
    assert positions(lander, DEAD_LETTERS) == [(0, 0), (0, 0)]


def test_two_landings_of_one_range_count_once(lander: Lander, topic: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    log = topic(1)
    log.send({0: [event("s", "a", "2026-03-02T10:00:00")]})
    of(lander, log).land()
    with monkeypatch.context() as patch:
        patch.setattr("batch.land.commits", lambda table: [])
        patch.setattr(Lander, "_report", lambda *_: None)
        of(lander, log).land()
    assert positions(lander) == [(0, 0), (0, 0)]
    assert covered_by(commits(load_table(lander.catalog, EVENTS)), 1).offsets == {0: 1}
    log.send({0: [event("s", "b", "2026-03-02T10:01:00")]})
    assert of(lander, log).land().start == {0: 1}


def test_a_landing_that_another_one_overtook_goes_on(
    lander: Lander, topic: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = topic(1)
    own = of(lander, log)
    answers = [read_ends(own.kafka, log.name, own.clock)]
    log.send({0: [event("s", "a", "2026-03-02T10:00:00")]})
    own.land()
    monkeypatch.setattr("batch.land.read_ends", lambda *asked: answers.pop() if answers else read_ends(*asked))
    report = own.land()
    assert (answers, report.start, report.end, report.records) == ([], {0: 1}, {0: 1}, 0)


def test_append_times_never_fall_even_across_landings(lander: Lander, topic: Topics) -> None:
    log = topic(1)
    log.send({0: [event("s", "a", "2026-03-02T10:00:00")]})
    of(lander, log).land()
    table = load_table(lander.catalog, EVENTS)
    known = commits(table)[0].landed.append_times[0]
    ahead = replace(commits(table)[0].landed, append_times={0: known + 3_600_000})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "batch.land.covered_by",
            lambda found, epoch: replace(covered_by(found, epoch), append_times=ahead.append_times),
        )
        log.send({0: [event("s", "b", "2026-03-02T10:01:00")]})
        of(lander, log).land()
    times = rows(lander).sort("log_offset")["append_time"].dt.epoch("ms").to_list()
    assert times == [known, known + 3_600_000]


def test_records_that_expired_before_they_landed_are_an_error_that_names_them(lander: Lander, topic: Topics) -> None:
    log = topic(1)
    log.send({0: [event("s", str(i), "2026-03-02T10:00:00") for i in range(4)]})
    log.delete_before({0: 3})
    with pytest.raises(RecordsExpired) as refused:
        of(lander, log).land()
    assert refused.value.missing == {0: (0, 3)}
    report = of(lander, log, accept_loss=True).land()
    assert (report.records, report.lost, report.start) == (1, 3, {0: 0})


def test_another_log_is_refused(lander: Lander, topic: Topics) -> None:
    log, other = topic(1), topic(1)
    of(lander, log).land()
    with pytest.raises(LogReplaced):
        of(lander, other).land()
    with pytest.raises(LogReplaced):
        of(lander, log, epoch=2).land()
    assert of(lander, other, epoch=2).land().epoch == 2


def test_the_frame_survives_the_lake(lander: Lander, topic: Topics) -> None:
    log = topic(1)
    log.send({0: [event("s", "a", "2026-03-02T10:00:00.123")]})
    of(lander, log).land()
    assert dict(rows(lander).schema) == EVENT_COLUMNS


def test_a_landing_whose_commit_was_made_but_not_confirmed_keeps_its_files(lander: Lander, topic: Topics) -> None:
    """As behind a proxy that sends a request again: the catalog finds the table changed, by this very landing."""
    log = topic(1)
    log.send({0: [event("s", "a", "2026-03-02T10:00:00")]})
    unconfirmed = [True]

    def made_but_refused(table: Table, files: Iterable[str], properties: Mapping[str, str]) -> None:
        append(table, files, properties)
        if properties and unconfirmed.pop():
            raise CommitFailedException("somebody was first")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batch.land.append", made_but_refused)
        unconfirmed.insert(0, False)
        report = of(lander, log).land()
    assert report.end == {0: 1}
    assert positions(lander) == [(0, 0)]
