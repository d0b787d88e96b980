"""Rollups of several days and versions beside each other: what one day holds of a user says nothing about another."""

from __future__ import annotations

from datetime import UTC, date, datetime

from batch.rollback import roll_back
from tests.merge.scenarios import AFTER_MIDNIGHT, DAY, History
from tests.merge.store import Store

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def users(store: Store) -> dict[date, tuple[int, int]]:
    rows = store.rows("SELECT day, sessions, active_users FROM daily_metrics")
    return {row["day"]: (row["sessions"], row["active_users"]) for row in rows}


def test_a_user_of_two_days_with_late_sessions_on_both_is_one_user_of_each(store: Store) -> None:
    own = History(store)
    own.event(5, "monday")
    own.until(DAY + 5)
    own.event(DAY + 5, "tuesday")
    own.both_published()
    own.event(300, "late on monday")
    own.event(DAY + 300, "late on tuesday")
    own.tick()
    assert users(store) == {own.date(0): (2, 1), own.date(1): (2, 1)}
    own.checked()


def test_after_a_rollback_late_sessions_leave_the_figures_of_the_version_that_counts(store: Store) -> None:
    own = History(store)
    own.event(5, "a")
    own.until(DAY + AFTER_MIDNIGHT)
    own.tick()
    own.land()
    own.publish(0)
    own.event(10, "a")
    own.event(600, "b", user="u1")
    own.tick()
    own.land()
    own.publish(0)
    roll_back(store.client, "events", own.date(0), "back", NOW)
    own.event(15, "a")
    own.tick()
    assert users(store) == {own.date(0): (2, 2)}
    own.checked()
