"""Which publication may take another's place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from batch.coverage import Coverage
from batch.publication import CutMovesBack, Publication, StalePublication, check, new_version, point, snapshot_sequence
from schemas.lateness import Horizon

DAY = date(2026, 3, 2)
IN_PLACE = Publication("events", DAY, 4, "p", new_version(7, 3), 1, {0: 10, 1: 20}, 77, sealed=False, definition="d")
LATER = Coverage(1, {0: 10, 1: 21}, datetime(2026, 3, 3, 2, tzinfo=UTC))


def test_versions_follow_the_lake_whatever_the_attempt() -> None:
    assert new_version(8, 0) > new_version(7, 65_535)
    assert snapshot_sequence(new_version(7, 70_000)) == 7


def test_a_newer_or_equal_snapshot_may_be_published() -> None:
    check([DAY], {DAY: IN_PLACE}, new_version(8, 1), LATER)
    check([DAY], {DAY: IN_PLACE}, new_version(7, 1), LATER)


def test_an_older_snapshot_is_refused() -> None:
    with pytest.raises(StalePublication) as refused:
        check([DAY], {DAY: IN_PLACE}, new_version(6, 9), LATER)
    assert (refused.value.day, refused.value.published, refused.value.offered) == (DAY, 7, 6)


def test_a_cut_never_moves_back() -> None:
    with pytest.raises(CutMovesBack) as refused:
        check([DAY], {DAY: IN_PLACE}, new_version(8, 1), replace(LATER, end={0: 10, 1: 19}))
    assert (refused.value.partition, refused.value.published, refused.value.offered) == (1, 20, 19)


@pytest.mark.parametrize(("margin", "sealed"), [(timedelta(minutes=4), False), (timedelta(minutes=5), True)])
def test_a_day_is_sealed_once_its_horizon_was_surely_over(margin: timedelta, sealed: bool) -> None:
    over = datetime(2026, 3, 10, tzinfo=UTC)
    rows = point("events", [DAY], 1, "p", 65536, replace(LATER, taken_at=over + margin), 7, "d", Horizon(7))
    assert [row.sealed for row in rows] == [sealed]
