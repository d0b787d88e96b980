"""``/v1/users/{id}/sessions``: the sessions of a user."""

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
from serving.api.reading import PROBLEMS, Listing

router = APIRouter(prefix="/users", tags=["sessions"], responses=PROBLEMS)

_KEYSET = Keyset(
    {
        "session_start": "time",
        "tenant_id": "text",
        "session_id": "text",
        "log_epoch": "number",
        "log_partition": "number",
    },
    descending=True,
)


@router.get(
    "/{user_id:path}/sessions", response_model=SESSIONS.answer, responses=NOT_MODIFIED, summary="Sessions of a user"
)
def sessions(
    context: InContext,
    tenant: Tenant,
    caching: InCaching,
    user_id: Annotated[str, Path(min_length=1, max_length=500, description="User id as the client sent it")],
    first: OptionalFrom = None,
    last: OptionalTo = None,
    size: Size = DEFAULT_SIZE,
    cursor: CursorText = None,
) -> Any:
    """The sessions that begin within the days and whose user this is, latest first; none if there is none."""
    days = latest_days(context.clock().date(), first, last)
    listing = Listing(
        SESSIONS, "events", _KEYSET, days, tenant, {"user_id = {user_id:String}": {"user_id": user_id}}, caching
    )
    return or_copy(
        context,
        days,
        lambda: listing.read(context, size, cursor),
        lambda of: context.points.user_sessions(of, user_id)[:size],
        tenant if cursor is None else None,
    )
