"""Rollback and late days on the real engine: what readers get, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from batch.late import LateDay, Patience, late_days
from batch.publication import Publication
from batch.publish import current_publications
from batch.rollback import NothingBefore, PastHorizon, VersionGone, going_back, roll_back
from tests.merge.scenarios import AFTER_MIDNIGHT, DAY, History
from tests.merge.store import Store

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def metrics(store: Store) -> dict[date, int]:
    return {row["day"]: row["sessions"] for row in store.rows("SELECT day, sessions FROM daily_metrics")}


def published_twice(store: Store) -> History:
    """A day with a session, published; a late session, landed and published."""
    own = History(store)
    own.until(5)
    own.event(5, "a")
    own.until(DAY + AFTER_MIDNIGHT)
    own.tick()
    own.tick()
    own.land()
    own.publish(0)
    own.event(7, "b")
    own.tick()
    own.tick()
    own.land()
    return own


def test_a_rollback_gives_readers_what_they_had_and_the_speed_layer_the_rest(store: Store) -> None:
    own = published_twice(store)
    day = own.date(0)
    first = current_publications(store.client, "events")[day]
    own.publish(0)
    second = current_publications(store.client, "events")[day]
    assert second.version > first.version
    done = roll_back(store.client, "events", day, "back", NOW)
    assert done.versions == {day: (second.version, first.version)}
    back = current_publications(store.client, "events")[day]
    assert (back.version, back.cut, back.sequence) == (first.version, first.cut, second.sequence + 1)
    # The late session is past the earlier cut, so the speed layer answers for it again.
    assert metrics(store) == {day: 2}
    own.checked()


def test_a_first_publication_a_sealed_day_and_dropped_rows_are_refused(store: Store) -> None:
    own = published_twice(store)
    day = own.date(0)
    with pytest.raises(NothingBefore):
        roll_back(store.client, "events", day, "back", NOW)
    first = current_publications(store.client, "events")[day]
    own.publish(0)
    store.client.command(f"ALTER TABLE batch_sessions DROP PARTITION ('{day}', {first.version})")
    with pytest.raises(VersionGone):
        roll_back(store.client, "events", day, "back", NOW)
    store.client.command("ALTER TABLE batch_publications UPDATE sealed = true WHERE 1 SETTINGS mutations_sync = 2")
    with pytest.raises(PastHorizon):
        roll_back(store.client, "events", day, "back", NOW)


def publication(day: int, sequence: int, version: int, **more: Any) -> Publication:
    first = Publication("events", date(2026, 3, day), sequence, f"p{sequence}", version, 1, {0: version}, 1, False, "x")
    return replace(first, **more)


def history() -> Iterator[Publication]:
    """Days 1 and 2 apart, then together, then day 2 with day 3; day 4 on its own."""
    yield publication(1, 1, 10)
    yield publication(2, 2, 20)
    yield publication(3, 3, 30)
    yield from (publication(1, 4, 40), publication(2, 4, 40))
    yield from (publication(2, 5, 50), publication(3, 5, 50))
    yield publication(4, 6, 60)
    yield publication(4, 7, 70)


def test_days_that_moved_together_go_back_together() -> None:
    found = going_back(date(2026, 3, 1), history())
    assert {day.day: one.version for day, one in found.items()} == {1: 10, 2: 20, 3: 30}
    alone = going_back(date(2026, 3, 4), history())
    assert {day.day: one.version for day, one in alone.items()} == {4: 60}
    late = going_back(date(2026, 3, 3), history())
    assert {day.day: one.version for day, one in late.items()} == {2: 40, 3: 30}


def test_a_refusal_names_the_day_that_is_in_the_way_and_why_it_would_move() -> None:
    together = [publication(1, 1, 10), publication(1, 2, 20), publication(2, 2, 20)]
    with pytest.raises(NothingBefore, match=r"2026-03-02 has no earlier .* and it moved with 2026-03-01"):
        going_back(date(2026, 3, 1), together)


def test_a_late_day_is_due_once_and_not_too_often(store: Store) -> None:
    own = published_twice(store)
    day = own.date(0)
    own.world._record_landings("events")
    now = datetime(2026, 6, 1, tzinfo=UTC)

    def late() -> list[LateDay]:
        return late_days(store.client, "events", current_publications(store.client, "events").values(), now)

    (found,) = late()
    assert (found.day, found.records, found.published) == (day, 1, 0)
    patience = Patience(timedelta(minutes=30), 2)
    assert patience.is_due(found, found.since + timedelta(minutes=30))
    assert not patience.is_due(found, found.since + timedelta(minutes=29))
    assert not patience.is_due(replace(found, published=2), now)
    own.publish(0)
    own.world._record_landings("events")
    assert late() == []
    roll_back(store.client, "events", day, "back", now)
    assert [one.day for one in late()] == [day]
