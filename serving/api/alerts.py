"""``/v1/alerts``: what the rules of anomalies have found, latest first."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field, create_model

from serving.api.access import Tenant
from serving.api.caching import NOT_MODIFIED, InCaching
from serving.api.columns import columns_of
from serving.api.context import InContext
from serving.api.days import OptionalFrom, OptionalTo, latest_days
from serving.api.examples import example_of
from serving.api.models import View
from serving.api.paging import DEFAULT_SIZE, CursorText, Keyset, Size
from serving.api.reading import PROBLEMS, Listing

router = APIRouter(prefix="/alerts", tags=["alerts"], responses=PROBLEMS)

_SHOWN = (
    "alert_id", "tenant_id", "rule", "severity", "entity", "user_id", "session_id", "window_start", "window_end",
    "observed", "threshold", "amount_minor", "currency", "message", "day",
)  # fmt: skip
_KEYSET = Keyset({"window_end": "time", "alert_id": "text"}, descending=True)


def _model() -> View:
    known = columns_of("speed_alerts")
    fields: dict[str, Any] = {name: (known[name].type, Field(description=known[name].meaning)) for name in _SHOWN}
    return View("alerts", create_model("Alert", __config__=example_of(fields), **fields))


ALERTS = _model()


@router.get("", response_model=ALERTS.answer, responses=NOT_MODIFIED, summary="Alerts")
def alerts(
    context: InContext,
    tenant: Tenant,
    caching: InCaching,
    first: OptionalFrom = None,
    last: OptionalTo = None,
    severity: Annotated[Literal["info", "warning", "critical"] | None, Query(description="Only these")] = None,
    rule: Annotated[str | None, Query(min_length=1, max_length=100, description="Only of this rule")] = None,
    size: Size = DEFAULT_SIZE,
    cursor: CursorText = None,
) -> Any:
    """The alerts of the days, latest first. An alert belongs to the day of its cooldown; the speed layer raises it."""
    days = latest_days(context.clock().date(), first, last)
    conditions: dict[str, dict[str, str]] = {}
    if severity is not None:
        conditions["severity = {severity:String}"] = {"severity": severity}
    if rule is not None:
        conditions["rule = {rule:String}"] = {"rule": rule}
    return Listing(ALERTS, "events", _KEYSET, days, tenant, conditions, caching).read(context, size, cursor)
