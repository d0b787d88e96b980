"""One late event for a session of a closed day, to show a group change from one layer to the other."""

from dataclasses import dataclass, replace
from datetime import date
from random import Random

from infra.messages import Message
from infra.simulator.truth import IntendedSession, Truth, utc_day
from infra.simulator.values import event_message, event_value, new_id
from infra.simulator.visits import Step

JOIN_MS = 15_000


class NoSessionToJoinError(LookupError):
    """No session of that tenant's day can take a late event: choose another day, or simulate more visits."""

    def __init__(self, tenant_id: str, day: date) -> None:
        super().__init__(f"no session of tenant {tenant_id} on {day} can take a late event: choose another day")
        self.tenant_id = tenant_id
        self.day = day


@dataclass(frozen=True)
class LateEvent:
    """The message to send, and the session it joins as it is meant before and after."""

    message: Message
    before: IntendedSession
    after: IntendedSession


def late_event(truth: Truth, rng: Random, tenant_id: str, day: date, send_time_ms: int) -> LateEvent:
    """Make a page view 15 s after the end of a session of that day, and count it in the truth.

    It joins a session that was not engaged when there is one, so that rates change too. Raises NoSessionToJoinError.
    """
    sessions = truth.sessions.get((tenant_id, day), [])
    lone = [session for session in sessions if is_open_ended(truth, session)]
    if not lone:
        raise NoSessionToJoinError(tenant_id, day)
    before = rng.choice([session for session in lone if not session.engaged] or lone)
    time_ms = before.end_ms + JOIN_MS
    step = Step(JOIN_MS, "page_view", {"page": "/late"}, before.user_id)
    value = event_value(2, tenant_id, before.session_id, new_id(rng), step, time_ms, before.context)
    message = event_message(2, value, send_time_ms)
    after = replace(before, end_ms=time_ms, page_views=before.page_views + 1)
    truth.add_event(tenant_id, time_ms, "page_view")
    truth.sent[message.topic] += 1
    sessions[sessions.index(before)] = after
    return LateEvent(message, before, after)


def is_open_ended(truth: Truth, session: IntendedSession) -> bool:
    """Tell whether an event shortly after the session's end joins it, on its own day, and touches no other session."""
    day = utc_day(session.start_ms)
    return (
        not session.overlong
        and utc_day(session.end_ms + JOIN_MS) == day
        and sum(other.session_id == session.session_id for other in nearby(truth, session, day)) == 1
    )


def nearby(truth: Truth, session: IntendedSession, day: date) -> list[IntendedSession]:
    """Return the tenant's sessions of that day and of the two next to it."""
    days = (date.fromordinal(day.toordinal() + shift) for shift in (-1, 0, 1))
    return [other for near in days for other in truth.sessions.get((session.tenant_id, near), [])]
