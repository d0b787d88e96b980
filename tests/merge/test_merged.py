"""Merged = oracle, after any history. And the test can tell: without any one mechanism it is not."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.merge import scenarios
from tests.merge.answers import WrongAnswer
from tests.merge.mutations import MUTATIONS
from tests.merge.schedules import WEIGHTS, Schedule, play
from tests.merge.store import Store

OPERATIONS = [name for name, weight in WEIGHTS.items() for _ in range(max(1, round(weight)))]
SCHEDULES = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 2**30 - 1)), min_size=8, max_size=45)


@pytest.mark.timeout(900)
@given(schedule=SCHEDULES)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_merged_answer_is_the_oracles_or_names_the_hole(store: Store, schedule: Schedule) -> None:
    play(store, schedule)


@pytest.mark.parametrize("name", MUTATIONS)
def test_without_a_mechanism_the_answer_is_wrong(store: Store, name: str) -> None:
    scenario = getattr(scenarios, name)
    scenario(scenarios.History(store))
    with MUTATIONS[name](store), pytest.raises(WrongAnswer):
        scenario(scenarios.History(store))
