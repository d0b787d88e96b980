"""How far visitors came and when users came back: the SQL that the views `funnel` and `retention` and the API share."""

from __future__ import annotations

from pathlib import Path

_PARTS = Path(__file__).parent / "views" / "parts"

VISITOR, SESSION = "coalesce(user_id, session_id)", "session_id"
"""What can move through a funnel, as SQL over `events`."""

SEGMENT = (
    "argMin(multiIf({segment_by:String} = 'platform', toString(platform),"
    " {segment_by:String} = 'device_class', toString(device_class),"
    " {segment_by:String} = 'country', ifNull(toString(country), ''), ''), (event_time, event_id))"
)
"""The value of an entity's first event that the parameter `segment_by` names."""

OF_TENANT = "({tenant:String} = '' OR tenant_id = {tenant:String})"
"""Rows of the parameter `tenant`, of all tenants where it is empty."""


def levels(entity: str, segment: str, kept: str) -> str:
    """A row per entity with events that are `kept`: `level`, how many steps it took, and where its events came from.

    Parameters: from_day, to_day, steps, window_s.
    """
    return _filled("funnel_levels", entity=entity, segment=segment, kept=kept)


def seen(kept: str) -> str:
    """A row per user and day with a session, with `cohort` and `period`. Parameters: from_day, to_day, period."""
    return _filled("retention_seen", kept=kept)


def _filled(name: str, **filling: str) -> str:
    text = (_PARTS / f"{name}.sql").read_text().rstrip()
    for key, value in filling.items():
        text = text.replace("{" + key + "}", value)
    return text
