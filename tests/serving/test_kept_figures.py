"""Figures of published days that are kept are those that would be added up now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from unittest.mock import patch

import pytest

from batch import publish
from batch.publication import Publication
from infra.clients.clickhouse import Client
from serving.merged import SELECTION, STATE, open_states, situation, statements
from tests.merge import scenarios
from tests.merge.mutations import changed_view
from tests.merge.store import HoleError, Store

SITUATION = situation()
KEY = "('days', 'rows'), situation,"
ALWAYS_THE_SAME = {"batch_publications", "batch_rollup_sessions", "batch_rollup_members"}
"""Tables whose rows are written before a selection names them, and are the same whenever they are written again."""

FIRST = (
    "events_speed (day) VALUES ('2026-03-01')",
    "speed_sessions (day) VALUES ('2026-03-01')",
    "speed_beginnings (topic, log_partition) VALUES ('user-events', 0), ('user-events', 1)",
    "speed_progress (topic, log_partition, applied) VALUES ('user-events', 0, 1), ('user-events', 1, 1)",
)
CHANGES = {
    "a selection": "batch_selections (dataset, sequence) VALUES ('events', 9)",
    "a rollup": "batch_rollup (catalogue, day, version) VALUES ('c', '2026-03-01', 9)",
    "a landing": "batch_landings (dataset, day, last_offset) VALUES ('events', '2026-03-01', 9)",
    "a late event": "events_speed (day, session_id, append_time) VALUES ('2026-03-01', 's9', '2026-03-02 02:00:00')",
    "a late session": "speed_sessions (day, session_id, late) VALUES ('2026-03-01', 's9', true)",
    "a day of events": "events_speed (day, session_id) VALUES ('2026-03-02', 's9')",
    "a day of sessions": "speed_sessions (day, session_id) VALUES ('2026-03-03', 's9')",
    "a partition": "speed_beginnings (topic, log_partition) VALUES ('user-events', 9)",
    "a beginning": "speed_beginnings (topic, log_partition, complete_from) VALUES ('user-events', 0, 1)",
    "a hole's end": "speed_beginnings (topic, log_partition, hole_until) VALUES ('user-events', 1, 20000)",
    "an epoch": "speed_beginnings (topic, log_epoch) VALUES ('user-events', 9)",
}
NO_CHANGES = {
    "an event of an open day": "events_speed (day, session_id) VALUES ('2026-03-01', 's8')",
    "a session of an open day": "speed_sessions (day, session_id) VALUES ('2026-03-01', 's8')",
    "progress": "speed_progress (topic, log_partition, applied) VALUES ('user-events', 0, 2)",
}


def _seen(store: Store, writes: Mapping[str, str]) -> list[str]:
    """Which of the writes, one after another into a store with a little of everything, change the situation."""
    store.clear()
    for first in FIRST:
        store.client.command(f"INSERT INTO {first}")
    seen, before = [], store.rows(SITUATION)
    for name, write in writes.items():
        store.client.command(f"INSERT INTO {write}")
        after = store.rows(SITUATION)
        if after != before:
            seen.append(name)
        before = after
    return seen


def test_the_situation_tells_of_all_that_days_rest_on(store: Store) -> None:
    assert _seen(store, CHANGES) == list(CHANGES)


def test_the_situation_stays_as_it_is_under_a_live_load(store: Store) -> None:
    assert _seen(store, NO_CHANGES) == []


def test_the_situation_looks_at_all_tables_that_days_rest_on() -> None:
    made = dict(statements())
    views = ("known_days", "closed_figures", "found_holes", "current_publications")
    read = {
        name
        for view in views
        for name in re.findall(r"\b(?:FROM|JOIN) ((?:batch|speed|events|orders)_\w+)", made[view])
    }
    looked_at = set(re.findall(r"\b(?:batch|events|speed|orders)_\w+", SITUATION))
    assert read - ALWAYS_THE_SAME == looked_at


def test_what_is_not_kept_is_added_up(store: Store) -> None:
    """No figures are kept under the state that is asked for, as when a late row comes between question and answer."""
    with changed_view(store, "known_days", lambda sql: sql.replace(f"any({STATE})", f"any({STATE} + 1)")):
        scenarios.state_of_kept_figures(scenarios.History(store))


def test_days_that_are_not_kept_are_looked_for(store: Store) -> None:
    """No days are kept under the situation that is asked for."""
    with _not_kept(store):
        scenarios.state_of_kept_figures(scenarios.History(store))


OPEN = "SELECT visitors, page_views FROM daily_metrics WHERE day = '2026-03-01'"
EVENT = "events_speed (day, event_type, log_offset) VALUES ('2026-03-01', 'page_view', 7)"
SESSION = "speed_sessions (day, session_id) VALUES ('2026-03-01', 's')"
OPEN_STATES = f"WITH '' AS published SELECT state FROM {open_states()} WHERE day = '2026-03-01'"


def test_days_that_are_kept_are_not_made_as_well(store: Store) -> None:
    """They cannot be made here once they are kept."""
    _open_day(store)
    asked = store.rows(OPEN)
    with changed_view(
        store, "known_days", lambda sql: sql.replace(")\nGROUP BY dataset", ")\nWHERE throwIf(1)\nGROUP BY dataset")
    ):
        assert store.rows(OPEN) == asked


@pytest.mark.parametrize("write", [EVENT, SESSION])
def test_the_state_of_an_open_day_tells_of_each_part_of_it(store: Store, write: str) -> None:
    _open_day(store)
    before = store.rows(OPEN_STATES)
    store.client.command(f"INSERT INTO {write.replace('03-01', '03-03')}")
    assert store.rows(OPEN_STATES) == before
    store.client.command(f"INSERT INTO {write}")
    assert store.rows(OPEN_STATES) != before


def test_figures_of_an_open_day_are_made_once_for_a_state(store: Store) -> None:
    """When another part has come, what was made is not looked at: here nothing can be made by then."""
    _open_day(store)
    asked = store.rows(OPEN)
    with changed_view(
        store, "open_figures", lambda sql: sql.replace("GROUP BY day\nSETTINGS", "WHERE 0 GROUP BY day\nSETTINGS")
    ):
        assert store.rows(OPEN) == asked
        store.client.command(f"INSERT INTO {SESSION}")
        with pytest.raises(HoleError, match="published while it was read"):
            store.rows(OPEN)


def test_figures_of_an_open_day_that_are_not_kept_are_made(store: Store) -> None:
    """A part comes between the question's look at the parts and the figures'."""
    with changed_view(
        store, "open_days", lambda sql: sql.replace("(day, state)) AS kept", "(day, state + 1)) AS kept")
    ):
        scenarios.state_of_open_days(scenarios.History(store))


def _open_day(store: Store) -> None:
    store.clear()
    for first in (EVENT, SESSION):
        store.client.command(f"INSERT INTO {first}")


def _not_kept(store: Store) -> AbstractContextManager[object]:
    return changed_view(store, "daily_metrics", lambda sql: sql.replace(KEY, KEY.replace("situation", "situation + 1")))


def test_figures_of_another_selection_are_no_answer(store: Store) -> None:
    history = scenarios.History(store)
    scenarios.state_of_kept_figures(history)
    question = f"SELECT sessions FROM daily_metrics WHERE day = '{history.date(0)}'"
    assert store.rows(question)
    with (
        _not_kept(store),
        changed_view(store, "known_days", lambda sql: sql.replace(f"any({SELECTION})", f"any({SELECTION} + 1)")),
        pytest.raises(HoleError, match="published while they were read"),
    ):
        store.rows(question)


def test_a_day_that_is_published_while_it_is_read_is_no_answer(store: Store) -> None:
    """It was open when its rows were asked for, and is not any more."""
    history = scenarios.History(store)
    scenarios.state_of_kept_figures(history)
    with (
        _not_kept(store),
        changed_view(store, "known_days", lambda sql: sql.replace("version = 0, 'open'", "version > 0, 'open'")),
        pytest.raises(HoleError, match="published while it was read"),
    ):
        store.rows(f"SELECT sessions FROM daily_metrics WHERE day = '{history.date(0)}'")


def test_a_day_that_is_rolled_up_twice_counts_once(store: Store) -> None:
    """As after a publisher that died before its pointer, and one that published the same version anew."""
    once = publish.roll_up

    def twice(client: Client, rows: Iterable[Publication]) -> None:
        for _ in range(2):
            once(client, list(rows))

    for scenario in (scenarios.correction_of_figures, scenarios.members_that_stay):
        with patch.object(publish, "roll_up", twice):
            scenario(scenarios.History(store))
