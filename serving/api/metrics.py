"""``/v1/metrics``: the daily figures, by the catalogue of metrics."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from serving.api.access import Tenant
from serving.api.caching import NOT_MODIFIED, InCaching
from serving.api.context import InContext
from serving.api.days import Days, required_days
from serving.api.models import DAILY_METRICS, DAILY_REVENUE
from serving.api.paging import DEFAULT_SIZE, CursorText, Keyset, Size
from serving.api.reading import PROBLEMS, Listing

router = APIRouter(prefix="/metrics", tags=["metrics"], responses=PROBLEMS)

_DAILY = Keyset({"day": "day", "tenant_id": "text"})
_REVENUE = Keyset({"day": "day", "tenant_id": "text", "currency": "text"})


@router.get(
    "/daily",
    response_model=DAILY_METRICS.answer,
    responses=NOT_MODIFIED,
    summary="Daily metrics of sessions and events",
)
def daily(
    context: InContext,
    tenant: Tenant,
    caching: InCaching,
    days: Annotated[Days, Depends(required_days)],
    size: Size = DEFAULT_SIZE,
    cursor: CursorText = None,
) -> Any:
    """A row per tenant and UTC day on which there were sessions or events, ordered by day and tenant.

    Distinct counts (users, visitors) are those of one day: adding days counts people twice.
    """
    return Listing(DAILY_METRICS, "events", _DAILY, days, tenant, caching=caching).read(context, size, cursor)


@router.get(
    "/revenue", response_model=DAILY_REVENUE.answer, responses=NOT_MODIFIED, summary="Daily revenue by currency"
)
def revenue(
    context: InContext,
    tenant: Tenant,
    caching: InCaching,
    days: Annotated[Days, Depends(required_days)],
    size: Size = DEFAULT_SIZE,
    cursor: CursorText = None,
) -> Any:
    """A row per tenant, UTC day and currency on which there were orders; amounts in minor units of the currency."""
    return Listing(DAILY_REVENUE, "orders", _REVENUE, days, tenant, caching=caching).read(context, size, cursor)
