"""Sessions of published days by group, as the speed layer has them: a row holds all sessions of its group and day.

Who looks a session up by its id waits for the engine's analysis of the query, not for its rows. Where both layers have
rows of one form there is less to analyse: no arrays are made, and the many columns of a session are named once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from schemas.frames import GROUP
from schemas.sessions import SESSION_COLUMNS

_COLUMNS = ", ".join(column for column in SESSION_COLUMNS if column not in GROUP)
_GROUP = ", ".join(GROUP)


def statements(days: Iterable[date], version: int) -> tuple[str, ...]:
    """Fills the groups of days under a version from their batch rows; to do so again changes no answer."""
    return tuple(_of_day(day, version) for day in sorted(days))


def _of_day(day: date, version: int) -> str:
    """In the order in which the rows lie, so that the memory does not grow with the day."""
    return f"""
    INSERT INTO batch_session_groups (day, version, {_GROUP}, sessions)
    SELECT '{day}', {version}, {_GROUP}, arraySort(session -> session.1, groupArray(({_COLUMNS})))
    FROM batch_sessions WHERE version = {version} AND day = '{day}'
    GROUP BY {_GROUP}
    SETTINGS optimize_aggregation_in_order = 1
    """
