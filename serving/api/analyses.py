"""``/v1/funnel`` and ``/v1/retention``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from infra.clients.clickhouse import Client
from schemas.subjects import subject
from serving import journeys
from serving.api.access import Tenant
from serving.api.caching import NOT_MODIFIED, InCaching
from serving.api.context import InContext
from serving.api.days import Days, required_days
from serving.api.problems import invalid
from serving.api.provenance import Provenance, consistent
from serving.api.reading import PROBLEMS
from serving.api.store import rows

router = APIRouter(tags=["analyses"], responses=PROBLEMS)

_TYPES = next(one for one in subject("user-event").latest.type.fields if one.name == "eventType").type.symbols  # type: ignore[union-attr]
EventType = StrEnum("EventType", {name: name for name in _TYPES})  # type: ignore[misc]
DEFAULT_STEPS = ("page_view", "add_to_cart", "purchase")
MIN_STEPS, MAX_STEPS = 2, 6
MAX_WINDOW = timedelta(days=14)


class _Origin(BaseModel):
    layer: Literal["batch", "speed", "merged"] = Field(description="Which layer the answer comes from")
    publication_version: int = Field(description="Greatest version of the days' publications; 0: none is published")
    late_groups: int = Field(description="Facts or groups for which the speed layer answers on published days")


class FunnelStep(BaseModel):
    """One step of the funnel."""

    step: int = Field(description="From 1")
    event_type: str = Field(description="The event that takes it")
    reached: int = Field(description="Visitors, or sessions, that took this step and all before it, in order")
    from_previous: float | None = Field(description="Share of those at the step before; null where there are none")
    from_first: float | None = Field(description="Share of those at the first step; null where there are none")


class Funnel(_Origin):
    """An ordered funnel."""

    data: list[FunnelStep] = Field(description="The steps")
    provenance: Provenance


class RetentionRow(BaseModel):
    """One cohort in one period."""

    cohort: date = Field(description="First day of the period in which the users were first seen")
    period: int = Field(description="Periods since; in period 0 all are there")
    users: int = Field(description="Users of the cohort who had a session in this period")
    share: float = Field(description="Of all users of the cohort")
    complete: bool = Field(description="The period is over; one that is not is no drop")


class Retention(_Origin):
    """Retention of first-time cohorts of signed-in users."""

    data: list[RetentionRow] = Field(description="By cohort and period")
    provenance: Provenance


_FUNNEL: dict[str, pl.DataType] = {
    "reached": pl.List(pl.Int64()),
    "layer": pl.String(),
    "publication_version": pl.Int64(),
    "late_groups": pl.Int64(),
}
_RETENTION: dict[str, pl.DataType] = {
    "cohort": pl.Date(),
    "period": pl.Int64(),
    "users": pl.Int64(),
    "layer": pl.String(),
    "publication_version": pl.Int64(),
    "late_groups": pl.Int64(),
}
_ENTITY = {"session": journeys.SESSION, "visitor": journeys.VISITOR}


_RETAINED = (
    "SELECT cohort, period, uniqExact(tenant_id, user_id) AS users,"
    " multiIf(max(version) = 0, 'speed', sum(fast) = 0, 'batch', 'merged') AS layer,"
    " max(version) AS publication_version, sum(late_sessions) AS late_groups"
    " FROM ({seen}) GROUP BY cohort, period ORDER BY cohort, period"
)


@dataclass(frozen=True)
class FunnelQuestion:
    """An ordered funnel: `window` runs from the first step; `device` and `country` keep only such events."""

    days: Days
    steps: tuple[str, ...]
    entity: Literal["session", "visitor"]
    window: timedelta
    tenant: str | None = None
    device: str | None = None
    country: str | None = None

    def read(self, client: Client) -> dict[str, Any]:
        """`data` and where it comes from."""
        (row,) = rows(client, self.sql, _FUNNEL, self.parameters)
        reached = row["reached"]
        steps = [
            {
                "step": place + 1,
                "event_type": kind,
                "reached": reached[place],
                "from_previous": _share(reached[place], reached[max(0, place - 1)]),
                "from_first": _share(reached[place], reached[0]),
            }
            for place, kind in enumerate(self.steps)
        ]
        return {"data": steps, **{name: row[name] for name in ("layer", "publication_version", "late_groups")}}

    @property
    def parameters(self) -> dict[str, Any]:
        """The query's parameters."""
        return {
            **_span(self.days),
            "steps": list(self.steps),
            "window_s": self.window // timedelta(seconds=1),
            "tenant": self.tenant,
            "device": self.device,
            "country": self.country,
        }

    @property
    def sql(self) -> str:
        """One row: how many entities took each step, and where the rows came from."""
        segments = {"device_class": ("device", self.device), "country": ("country", self.country)}
        conditions = [
            f"{column} = {{{name}:String}}" for column, (name, value) in segments.items() if value is not None
        ]
        levels = journeys.levels(_ENTITY[self.entity], "''", " AND ".join([_of(self.tenant), *conditions]))
        reached = ", ".join(f"countIf(level >= {step})" for step in range(1, len(self.steps) + 1))
        return (
            f"SELECT [{reached}] AS reached,"
            " multiIf(max(version) = 0, 'speed', sum(fast) = 0, 'batch', 'merged') AS layer,"
            f" max(version) AS publication_version, sum(late_facts) AS late_groups FROM ({levels})"
        )


def _span(days: Days) -> dict[str, date]:
    return {"from_day": days.first, "to_day": days.last}


def _of(tenant: str | None) -> str:
    return "1" if tenant is None else "tenant_id = {tenant:String}"


@router.get("/funnel", response_model=Funnel, responses=NOT_MODIFIED, summary="An ordered funnel")
def funnel(
    context: InContext,
    tenant: Tenant,
    caching: InCaching,
    days: Annotated[Days, Depends(required_days)],
    step: Annotated[
        list[EventType] | None,
        Query(description=f"The steps in order, {MIN_STEPS} to {MAX_STEPS}; {', '.join(DEFAULT_STEPS)} without it"),
    ] = None,
    entity: Annotated[Literal["session", "visitor"], Query(description="What moves through the funnel")] = "session",
    window_minutes: Annotated[
        int,
        Query(ge=1, le=MAX_WINDOW // timedelta(minutes=1), description="All steps within so long after the first"),
    ] = MAX_WINDOW // timedelta(minutes=1),
    device: Annotated[
        str | None, Query(min_length=1, max_length=50, description="Only events of this device class")
    ] = None,
    country: Annotated[
        str | None, Query(min_length=2, max_length=2, description="Only events from this country")
    ] = None,
) -> Any:
    """How many took the first step, then the second, and so on; other events may lie between.

    A repeated step needs a further event. A visitor is the event's user, else its session.
    """
    steps = tuple(one.value for one in step) if step else DEFAULT_STEPS
    if not MIN_STEPS <= len(steps) <= MAX_STEPS:
        raise invalid("query.step", f"a funnel has {MIN_STEPS} to {MAX_STEPS} steps, not {len(steps)}")
    question = FunnelQuestion(days, steps, entity, timedelta(minutes=window_minutes), tenant, device, country)
    (answer,), _, origin = consistent(
        context.store,
        context.clock,
        "events",
        days,
        lambda client: [question.read(client)],
        ends=context.log.of("events"),
    )
    return caching.of(answer | {"provenance": origin}, days, context.clock())


@router.get("/retention", response_model=Retention, responses=NOT_MODIFIED, summary="Retention of first-time cohorts")
def retention(
    context: InContext,
    tenant: Tenant,
    caching: InCaching,
    days: Annotated[Days, Depends(required_days)],
    period: Annotated[Literal["day", "week"], Query(description="Length of a period; weeks begin on Monday")] = "day",
) -> Any:
    """Of the signed-in users first seen in a period of the span: how many had a session in each later one.

    First seen is by all days that are stored, also those before the span.
    """
    today = context.clock().date()

    def fetch(client: Client) -> list[dict[str, Any]]:
        parameters = {**_span(days), "tenant": tenant, "period": period}
        return rows(client, _RETAINED.replace("{seen}", journeys.seen(_of(tenant))), _RETENTION, parameters)

    found, _, origin = consistent(context.store, context.clock, "events", days, fetch, ends=context.log.of("events"))
    length = timedelta(days=1 if period == "day" else 7)
    sizes = {row["cohort"]: row["users"] for row in found if row["period"] == 0}
    cohorts = [
        {
            "cohort": row["cohort"],
            "period": row["period"],
            "users": row["users"],
            "share": row["users"] / sizes[row["cohort"]],
            "complete": row["cohort"] + (row["period"] + 1) * length <= min(today, days.last + timedelta(days=1)),
        }
        for row in found
    ]
    answer = {"data": cohorts, "provenance": origin, **_origin(found)}
    return caching.of(answer, days, context.clock())


def _origin(found: list[dict[str, Any]]) -> dict[str, Any]:
    layers = {row["layer"] for row in found}
    first = [row for row in found if row["period"] == 0]
    return {
        "layer": layers.pop() if len(layers) == 1 else "merged" if layers else "speed",
        "publication_version": max((row["publication_version"] for row in found), default=0),
        "late_groups": sum(row["late_groups"] for row in first),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
