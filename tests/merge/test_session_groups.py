"""Batch sessions by group: looked up by an id, sessions are those of the days, however often the groups were filled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from batch.publish import current_publications, fill_groups
from batch.rollback import roll_back
from batch.versions import versioned_tables
from tests.merge.scenarios import DAY, History
from tests.merge.store import Store

NOW = datetime(2026, 4, 1, tzinfo=UTC)
GROUPS = "SELECT * FROM batch_session_groups FINAL ORDER BY ALL"


def answers(store: Store, view: str) -> list[dict[str, Any]]:
    """All columns of all sessions."""
    return store.rows(f"SELECT * FROM {view} ORDER BY day, session_id, session_start")


def layers(store: Store) -> list[tuple[str, str]]:
    return [(row["session_id"], row["layer"]) for row in answers(store, "sessions_by_id")]


def published(store: Store) -> History:
    """Two days, published together, with a group of two sessions and one that has sessions on both."""
    own = History(store)
    own.event(5, "a", user="u1")
    own.event(300, "a")
    own.event(600, "b")
    own.until(DAY + 5)
    own.event(DAY + 5, "b")
    own.both_published()
    return own


def test_sessions_by_their_ids_are_the_sessions_of_the_days(store: Store) -> None:
    own = published(store)
    assert layers(store) == [("a", "batch"), ("a", "batch"), ("b", "batch"), ("b", "batch")]
    assert answers(store, "sessions_by_id") == answers(store, "sessions")
    own.event(310, "a")
    own.event(900, "late")
    own.tick()
    assert layers(store) == [("a", "speed"), ("a", "speed"), ("b", "batch"), ("late", "speed"), ("b", "batch")]
    assert answers(store, "sessions_by_id") == answers(store, "sessions")
    own.land()
    own.publish(0)
    assert {layer for _, layer in layers(store)} == {"batch"}
    assert answers(store, "sessions_by_id") == answers(store, "sessions")


def test_a_day_that_is_filled_again_or_pointed_back_counts_once(store: Store) -> None:
    own = published(store)
    own.event(310, "a")
    own.tick()
    own.land()
    own.publish(0)
    roll_back(store.client, "events", own.date(0), "back", NOW)
    fill_groups(store.client, current_publications(store.client, "events").values())
    assert len(store.rows("SELECT 1 AS row FROM batch_session_groups")) > len(store.rows(GROUPS))
    assert len(answers(store, "sessions_by_id")) == 4
    assert answers(store, "sessions_by_id") == answers(store, "sessions")
    own.checked()


def test_groups_that_are_lost_are_filled_from_the_batch_rows(store: Store) -> None:
    published(store)
    left = store.rows(GROUPS)
    assert [len(row["sessions"]) for row in left] == [2, 1, 1]
    store.clear(("batch_session_groups",))
    fill_groups(store.client, current_publications(store.client, "events").values())
    assert store.rows(GROUPS) == left


def test_groups_go_with_their_version() -> None:
    assert "batch_session_groups" in versioned_tables()
