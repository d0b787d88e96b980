"""``/v1/sessions``: the sessions that share a session id."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from serving.api.access import Tenant
from serving.api.caching import NOT_MODIFIED, InCaching
from serving.api.context import InContext
from serving.api.copy import or_copy
from serving.api.days import OptionalFrom, OptionalTo, latest_days
from serving.api.models import SESSIONS
from serving.api.paging import DEFAULT_SIZE, CursorText, Keyset, Size
from serving.api.problems import NOT_FOUND, Problem, documented
from serving.api.reading import PROBLEMS, Listing

router = APIRouter(prefix="/sessions", tags=["sessions"], responses=PROBLEMS)

_KEYSET = Keyset({"session_start": "time", "tenant_id": "text", "log_epoch": "number", "log_partition": "number"})


@router.get(
    "/{session_id:path}",
    response_model=SESSIONS.answer,
    responses=documented(NOT_FOUND) | NOT_MODIFIED,
    summary="Sessions of one session id",
)
def sessions(
    context: InContext,
    tenant: Tenant,
    caching: InCaching,
    session_id: Annotated[str, Path(min_length=1, max_length=500, description="Session id as the client sent it")],
    first: OptionalFrom = None,
    last: OptionalTo = None,
    size: Size = DEFAULT_SIZE,
    cursor: CursorText = None,
) -> Any:
    """The sessions that begin within the days, by start. A pause of 30 minutes ends a session, so there may be several.

    A session belongs to the day on which it begins.
    """
    days = latest_days(context.clock().date(), first, last)
    conditions = {"session_id = {session_id:String}": {"session_id": session_id}}
    listing = Listing(SESSIONS, "events", _KEYSET, days, tenant, conditions, caching)
    answer = or_copy(
        context,
        days,
        lambda: listing.read(context, size, cursor),
        lambda of: context.points.sessions(of, session_id)[:size],
        tenant if cursor is None else None,
    )
    if not answer["data"] and cursor is None:
        raise Problem(
            NOT_FOUND, f"no session of this id begins from {days.first} to {days.last}; widen `from` and `to`"
        )
    return answer
