"""What a landing may take and may claim."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.landings import Commit, LandedDay, LandedRange
from batch.log import LogEnds
from batch.ranges import (
    LONG_AGO,
    Covered,
    LogReplaced,
    RecordsExpired,
    check_same_log,
    covered_by,
    landed_until,
    next_range,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def ends(end: dict[int, int], begin: dict[int, int] | None = None) -> LogEnds:
    return LogEnds("t", "id", begin or dict.fromkeys(end, 0), end, NOON)


def landed(start: dict[int, int], end: dict[int, int], times: dict[int, int] | None = None, epoch: int = 1) -> Commit:
    one = LandedRange("t", f"id{epoch}", epoch, start, end, NOON, times or {}, 0, 0, (), {})
    return Commit(1, 1, one)


@given(
    end=st.dictionaries(st.integers(0, 5), st.integers(0, 50), min_size=1),
    limit=st.integers(1, 40),
)
def test_chunks_tile_the_log_without_gap_or_overlap(end: dict[int, int], limit: int) -> None:
    commits: list[Commit] = []
    for _ in range(400):
        todo = next_range(ends(end), covered_by(commits, 1), limit, accept_loss=False)
        assert todo.offsets <= max(limit, len(end))
        commits.append(landed(dict(todo.start), dict(todo.end)))
        if todo.complete:
            break
    assert covered_by(commits, 1).offsets == end
    assert sum(c.landed.end[p] - c.landed.start[p] for c in commits for p in end) == sum(end.values())


def test_a_range_past_a_gap_covers_nothing_and_lends_no_time() -> None:
    commits = [landed({0: 0}, {0: 5}, {0: 100}), landed({0: 7}, {0: 9}, {0: 900})]
    assert covered_by(commits, 1) == Covered({0: 5}, {0: 100})
    closed = [*commits, landed({0: 5}, {0: 7}, {0: 200})]
    assert covered_by(closed, 1).offsets == {0: 7}


def test_epochs_are_covered_apart() -> None:
    commits = [landed({0: 0}, {0: 5}), landed({0: 0}, {0: 2}, epoch=2)]
    assert (covered_by(commits, 1).offsets, covered_by(commits, 2).offsets) == ({0: 5}, {0: 2})


def test_a_range_that_stops_short_claims_only_what_append_times_prove() -> None:
    todo = next_range(ends({0: 10, 1: 2}), Covered({}, {}), 4, accept_loss=False)
    assert (todo.end, todo.complete) == ({0: 2, 1: 2}, False)
    early = NOON - timedelta(hours=3)
    assert landed_until(ends({0: 10, 1: 2}), todo, {0: int(early.timestamp() * 1000)}) == early
    assert landed_until(ends({0: 10, 1: 2}), todo, {}) == LONG_AGO
    assert landed_until(ends({0: 2, 1: 2}), todo, {}) == NOON


def test_lost_records_are_claimed_only_when_asked() -> None:
    gone = ends({0: 10, 1: 4}, {0: 6, 1: 0})
    with pytest.raises(RecordsExpired, match=r"partition 0: \[2, 6\)"):
        next_range(gone, Covered({0: 2, 1: 4}, {}), 100, accept_loss=False)
    todo = next_range(gone, Covered({0: 2, 1: 4}, {}), 100, accept_loss=True)
    assert (todo.start, todo.read_from, todo.lost, todo.offsets) == ({0: 2, 1: 4}, {0: 6, 1: 4}, {0: 6}, 4)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (LogEnds("t", "other", {0: 0}, {0: 9}, NOON), "epoch 1 is of id"),
        (LogEnds("t", "id1", {0: 0, 1: 0}, {0: 9, 1: 0}, NOON), "2 partitions"),
        (LogEnds("t", "id1", {0: 0}, {0: 4}, NOON), "ends at 4 and was landed up to 5"),
    ],
)
def test_another_log_is_told_by_id_partitions_and_end(now: LogEnds, why: str) -> None:
    commits = [landed({0: 0}, {0: 5})]
    with pytest.raises(LogReplaced, match=why):
        check_same_log(now, 1, commits, covered_by(commits, 1))


def test_a_landing_survives_its_snapshot_property() -> None:
    day = LandedDay(date(2026, 3, 2), 1, 3, 4, 9)
    one = LandedRange("t", "id", 2, {0: 0, 1: 4}, {0: 0, 1: 10}, NOON, {1: 17}, 5, 2, (day,), {1: 4})
    assert LandedRange.from_json(one.to_json()) == one
