"""Speed against batch on the real engine: 0 after any history where nothing was lost, and else found out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch.publish import current_publications
from batch.reconcile import NotComparable, Reconciliation, reconcile_day
from tests.merge.scenarios import AFTER_MIDNIGHT, DAY, History
from tests.merge.schedules import WEIGHTS, Schedule, play
from tests.merge.store import Store
from tests.merge.world import HORIZON

NOW = datetime(2026, 4, 1, tzinfo=UTC)
OPERATIONS = [name for name, weight in WEIGHTS.items() if name != "wipe" for _ in range(max(1, round(weight)))]
SCHEDULES = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 2**30 - 1)), min_size=15, max_size=50)


def reconciled(store: Store) -> Iterator[Reconciliation]:
    """Every published day that can be compared."""
    for dataset in ("events", "orders"):
        for day, published in current_publications(store.client, dataset).items():
            try:
                yield reconcile_day(store.client, dataset, published, day, HORIZON, NOW)
            except NotComparable:
                continue


@pytest.mark.timeout(900)
@given(schedule=SCHEDULES)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_layers_say_the_same_whatever_was_replayed(store: Store, schedule: Schedule) -> None:
    play(store, schedule)
    for found in reconciled(store):
        assert (found.equal, found.smape, found.worst) == (found.groups, 0.0, ()), found


def history(store: Store) -> History:
    own = History(store)
    own.until(5)
    own.event(5, "a", event_id="1")
    own.event(6, "a", event_id="2")
    own.event(7, "b", event_id="3")
    own.until(DAY + AFTER_MIDNIGHT)
    own.tick()
    own.tick()
    own.land()
    own.publish(0)
    return own


def test_a_late_event_without_a_product_counts_for_none(store: Store) -> None:
    own = history(store)
    own.event(8, "a", kind="click")
    own.event(9, "a", kind="click", product="p")
    own.tick()
    store.clear(("batch_reconciliation",))
    assert [(found.smape, found.worst) for found in reconciled(store)] == [(0.0, ())]
    rows = store.rows(
        "SELECT metric, batch_total AS n FROM reconciliation WHERE source = 'products' AND batch_total > 0"
    )
    assert rows == [{"metric": "clicks", "n": 1}]


def test_a_group_that_was_touched_past_the_horizon_of_the_day_is_left_out(store: Store) -> None:
    own = History(store)
    own.until(DAY)
    own.event(DAY - 20, "joined")
    own.event(DAY - 10, "other")
    own.tick()
    own.until(3 * DAY)
    own.event(DAY + 5, "joined")
    own.tick()
    own.land()
    own.publish(0)
    ended, hot = reconciled(store)
    assert (ended.past_horizon, ended.smape, ended.worst) == (1, 0.0, ())
    assert (hot.past_horizon, hot.smape, hot.worst) == (0, 0.0, ())
    store.client.command("TRUNCATE TABLE speed_sessions")
    ended, _ = reconciled(store)
    assert ended.missing > 0
    assert all("other" in offender for offender in ended.worst)


def test_facts_that_came_past_the_horizon_of_the_day_are_compared(store: Store) -> None:
    own = History(store)
    own.event(5, "a", product="p")
    own.order(5)
    own.tick()
    own.until(3 * DAY)
    own.event(8, "a", kind="click", product="p")
    own.event(9, "b", kind="click", product="q")
    own.order(8)
    own.tick()
    own.land()
    own.publish(0)
    own.publish(0, "orders")
    assert [(found.smape, found.worst) for found in reconciled(store)] == [(0.0, ()), (0.0, ())]
    store.client.command("TRUNCATE TABLE events_cold")
    store.client.command("TRUNCATE TABLE orders_cold")
    store.clear(("batch_reconciliation",))
    assert [found.equal < found.groups for found in reconciled(store)] == [True, True]
    off = store.rows("SELECT DISTINCT source FROM reconciliation WHERE equal < groups ORDER BY source")
    assert [row["source"] for row in off] == ["events", "orders", "products"]


@pytest.mark.parametrize(
    ("lose", "source"),
    [
        ("ALTER TABLE events_speed DELETE WHERE event_id = '3' SETTINGS mutations_sync = 2", "events"),
        ("ALTER TABLE speed_sessions DELETE WHERE session_id = 'b' SETTINGS mutations_sync = 2", "sessions"),
        ("ALTER TABLE batch_sessions DELETE WHERE session_id = 'b' SETTINGS mutations_sync = 2", "sessions"),
        ("ALTER TABLE batch_sessions UPDATE engaged = NOT engaged WHERE 1 SETTINGS mutations_sync = 2", "sessions"),
    ],
)
def test_what_one_layer_lost_is_found_and_named(store: Store, lose: str, source: str) -> None:
    history(store)
    store.clear(("batch_reconciliation",))
    assert [found.groups == found.equal > 0 for found in reconciled(store)] == [True]
    store.clear(("batch_reconciliation",))
    store.client.command(lose)
    (found,) = reconciled(store)
    assert found.equal < found.groups
    assert found.check.passed is False
    assert found.worst
    off = store.rows("SELECT DISTINCT source FROM reconciliation WHERE current AND equal < groups")
    assert [row["source"] for row in off] == [source]


def test_a_day_that_was_never_streamed_is_no_difference(store: Store) -> None:
    history(store)
    store.client.command("TRUNCATE TABLE speed_progress")
    published = current_publications(store.client, "events")
    (day,) = published
    with pytest.raises(NotComparable, match="never streamed"):
        reconcile_day(store.client, "events", published[day], day, HORIZON, NOW)
    with pytest.raises(NotComparable, match="not published"):
        reconcile_day(store.client, "orders", None, day, HORIZON, NOW)
