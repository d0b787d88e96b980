"""``/v1/overview`` and ``/v1/stream``: what the dashboard shows, once or as it changes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from serving.api.access import Caller, Tenant
from serving.api.context import Context, InContext
from serving.api.problems import (
    BUSY,
    FORBIDDEN,
    INCOMPLETE,
    INVALID,
    TOO_MANY,
    UNAUTHENTICATED,
    UNAVAILABLE,
    documented,
)
from serving.dashboard.overview import Overview
from serving.dashboard.spans import RangeDays
from serving.keys import ALL_TENANTS

router = APIRouter(
    tags=["overview"],
    responses=documented(INVALID, UNAUTHENTICATED, FORBIDDEN, INCOMPLETE, TOO_MANY, UNAVAILABLE, BUSY),
)

# What a query holds is text, which no literal number equals.
Range = Annotated[RangeDays, BeforeValidator(int), Query(description="Days up to now: today, or the last 7 or 28")]


class OverviewAnswer(BaseModel):
    """The present beside the same part of the same weekdays before."""

    model_config = ConfigDict(extra="allow")

    kpis: dict[str, dict[str, float | None]] = Field(
        description="Per figure `now` and `before`; null where it is not known or cannot be computed"
    )
    revenue: list[dict[str, Any]] = Field(description="Net revenue per currency, in minor units, in all and by slot")
    traffic: list[dict[str, Any]] = Field(description="Events by minute of 24 hours; `closed` ones are published")
    funnel: list[dict[str, Any]] = Field(description="As `/v1/funnel` of the range's days, within one day")
    products: list[dict[str, Any]] = Field(description="As `/v1/products/popular` of the last hour")
    devices: list[dict[str, Any]] = Field(description="Sessions by device class")
    countries: list[dict[str, Any]] = Field(description="Sessions by country")
    alerts: list[dict[str, Any]] | None = Field(description="Of the last hour; null where nothing raises alerts")
    health: dict[str, Any] = Field(description="How the data is; null is not known, or not shown to this key")
    provenance: dict[str, Any] = Field(description="Where it comes from, as in other answers")


_EVENT = {
    "type": "object",
    "required": ["event", "id", "data"],
    "properties": {
        "event": {"type": "string", "description": "overview"},
        "id": {"type": "string", "description": "Counts the events of the stream"},
        "data": {"type": "string", "description": "The answer of /v1/overview, as JSON text"},
    },
}


@router.get("/overview", response_model=OverviewAnswer, summary="The present beside the past")
def overview(context: InContext, caller: Caller, tenant: Tenant, days: Range = 1) -> Any:
    """Figures since the start of the range, and those of the span as many whole weeks before, cut at the same time.

    Sessions count as they stood at the cut: what happened in them later is left out.
    """
    return _overview(context, days, tenant, operator=caller.tenant == ALL_TENANTS).read()


@router.get(
    "/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": _EVENT}}, "description": "The events"}},
    summary="The overview as it changes, as server-sent events",
)
async def stream(context: InContext, caller: Caller, tenant: Tenant, days: Range = 1) -> StreamingResponse:
    """Events `overview` (as `/v1/overview`) and `problem`; a comment every 10 seconds when nothing is new."""
    operator = caller.tenant == ALL_TENANTS
    events = context.live.watch((days, tenant, operator), lambda: _overview(context, days, tenant, operator=operator))
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _overview(context: Context, days: RangeDays, tenant: str | None, *, operator: bool) -> Overview:
    return Overview(context.store, context.clock, days, tenant, operator, context.backlog, context.log)
