"""Whatever a query asks of a day that neither layer can answer, it gets the error; other days are answered."""

from __future__ import annotations

import pytest

from tests.merge import scenarios
from tests.merge.store import HoleError, Store

CONDITIONS = {
    "events": ["1",
               "tenant_id = 't0'", "session_id = 's0'", "event_type = 'click'", "log_offset > 3", "layer = 'batch'",
               "user_id IS NULL", "mapContains(properties, 'x')", "event_time > '2020-01-01'"],
    "sessions": ["1", "tenant_id = 't0'", "converted", "NOT engaged", "page_views > 5", "session_id LIKE 's%'"],
    "sessions_by_id": ["1", "tenant_id = 't0'", "session_id = 's0'", "converted", "layer = 'batch'"],
    "product_daily": ["1", "tenant_id = 't0'", "product_id = 'p0'", "views > 100", "layer = 'batch'"],
    "daily_metrics": ["1", "tenant_id = 't0'", "sessions > 1000", "layer = 'batch'", "conversion_rate > 0.5"],
}  # fmt: skip
CASES = [(view, condition) for view, conditions in CONDITIONS.items() for condition in conditions]


@pytest.fixture(scope="module")
def lost(store: Store) -> scenarios.History:
    """Today is lost: its records were landed, are in no publication, and the speed store is gone."""
    history = scenarios.History(store)
    scenarios.errors_at_holes(history)
    return history


@pytest.mark.parametrize("what", ["*", "count()"])
@pytest.mark.parametrize(("view", "condition"), CASES)
def test_no_condition_hides_a_hole(lost: scenarios.History, view: str, condition: str, what: str) -> None:
    where = f"day = '{lost.date(0)}' AND {condition}"
    with pytest.raises(HoleError):
        lost.world.store.rows(f"SELECT {what} FROM {view} WHERE {where}")


def test_no_span_hides_a_hole(lost: scenarios.History) -> None:
    span = f"from_time = '{lost.date(0)} 10:00:00', to_time = '{lost.date(0)} 10:05:00'"
    with pytest.raises(HoleError):
        lost.world.store.rows(f"SELECT * FROM top_products({span}, tenant = 't0', category = '')")


@pytest.mark.parametrize(("view", "condition"), CASES)
def test_other_days_are_answered(lost: scenarios.History, view: str, condition: str) -> None:
    assert lost.world.store.rows(f"SELECT * FROM {view} WHERE day = '{lost.date(5)}' AND {condition}") == []
