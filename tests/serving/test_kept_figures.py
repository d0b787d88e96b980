"""Figures of published days that are kept are those that would be added up now."""

from __future__ import annotations

from collections.abc import Iterable
from unittest.mock import patch

import pytest

from batch import publish
from batch.publication import Publication
from infra.clients.clickhouse import Client
from serving.merged import STATE
from tests.merge import scenarios
from tests.merge.mutations import changed_view
from tests.merge.store import HoleError, Store


def test_what_is_not_kept_is_added_up(store: Store) -> None:
    """No figures are kept under the state that is asked for, as when a late row comes between question and answer."""
    with changed_view(store, "daily_metrics", lambda sql: sql.replace(f"any({STATE})", f"any({STATE} + 1)")):
        scenarios.state_of_kept_figures(scenarios.History(store))


def test_figures_of_another_selection_are_no_answer(store: Store) -> None:
    history = scenarios.History(store)
    scenarios.state_of_kept_figures(history)
    question = f"SELECT sessions FROM daily_metrics WHERE day = '{history.date(0)}'"
    assert store.rows(question)
    with (
        changed_view(store, "daily_metrics", lambda sql: sql.replace("any(published.2)", "any(published.2 + 1)")),
        pytest.raises(HoleError, match="published while they were read"),
    ):
        store.rows(question)


def test_a_day_that_is_rolled_up_twice_counts_once(store: Store) -> None:
    """As after a publisher that died before its pointer, and one that published the same version anew."""
    once = publish.roll_up

    def twice(client: Client, rows: Iterable[Publication]) -> None:
        for _ in range(2):
            once(client, list(rows))

    for scenario in (scenarios.correction_of_figures, scenarios.members_that_stay):
        with patch.object(publish, "roll_up", twice):
            scenario(scenarios.History(store))
