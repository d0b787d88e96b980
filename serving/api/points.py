"""``/v1/points``: one session, user or product by its key, within milliseconds.

Cassandra answers while its copy is fresh. Otherwise, and before anything is said not to exist, ClickHouse does; should
that be away too, what the copy has is answered and marked as partial.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, create_model

from infra.clients.cassandra import PointsUnavailable
from schemas.frames import TIMESTAMP, milliseconds
from schemas.products import COUNTERS, WINDOW
from serving.api.access import DEFAULT_TENANT, Tenant
from serving.api.context import Context, InContext
from serving.api.days import WITHIN, Days, latest_days
from serving.api.examples import example_of
from serving.api.models import SESSIONS, columns_read
from serving.api.problems import (
    FORBIDDEN,
    INCOMPLETE,
    INVALID,
    NOT_FOUND,
    TOO_MANY,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Problem,
    documented,
)
from serving.api.store import rows
from serving.points.reading import Window

FRESH_SECONDS = 10.0
SPAN = timedelta(hours=1)

router = APIRouter(
    prefix="/points",
    tags=["points"],
    responses=documented(INVALID, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, INCOMPLETE, TOO_MANY, UNAVAILABLE),
)


class PointProvenance(BaseModel):
    """Where a point answer comes from."""

    source: Literal["cassandra", "clickhouse"] = Field(description="The store that answered")
    partial: bool = Field(
        description="The copy is not known to be fresh and ClickHouse is away: this is what was known last"
    )
    copied_until: datetime | None = Field(
        description="What the speed layer had said until then is in the copy; null if unknown"
    )
    applied_until: datetime | None = Field(
        description="The speed layer had applied all that Kafka received until then; null if unknown"
    )
    speed_lag_seconds: float | None = Field(description="Now less `applied_until`, an upper bound; null if unknown")
    answered_at: datetime = Field(description="When the answer was read")


def _point(name: str, data: Any, meaning: str) -> type[BaseModel]:
    return create_model(name, __doc__=meaning, data=(data, ...), provenance=(PointProvenance, ...))


def _session_model() -> type[BaseModel]:
    fields: dict[str, Any] = {name: (field.annotation, field) for name, field in SESSIONS.row.model_fields.items()}
    fields["publication_version"] = (
        int | None,
        Field(description="Version of the day's publication; null in answers of the copy, which holds the speed layer"),
    )
    return create_model("PointSession", __config__=example_of(fields), **fields)


class ProductWindow(BaseModel):
    """Counts of one 5-minute window."""

    window_start: datetime = Field(description="Start of the window of event time")
    views: int = Field(description="Page views of the product")
    clicks: int = Field(description="Clicks on it")
    add_to_carts: int = Field(description="Times put in a cart")
    purchases: int = Field(description="Purchase events")


class ProductNow(BaseModel):
    """A product in the last hour."""

    tenant_id: str = Field(description="Customer that the product belongs to")
    product_id: str = Field(description="Product")
    layer: Literal["speed", "merged"] = Field(description="Which layer the counts come from")
    since: datetime = Field(description="Start of the first window that is counted")
    views: int = Field(description="Page views since then")
    clicks: int = Field(description="Clicks since then")
    add_to_carts: int = Field(description="Times put in a cart since then")
    purchases: int = Field(description="Purchase events since then")
    windows: list[ProductWindow] = Field(description="The windows in which anything happened, latest first")


POINT_SESSION = _session_model()
SESSION_ANSWER = _point("LiveSession", POINT_SESSION, "The latest session of a session id, or of a user.")
PRODUCT_ANSWER = _point("ProductPoint", ProductNow, "A product now.")
_WINDOW_COLUMNS = {"window_start": TIMESTAMP, **dict.fromkeys(COUNTERS, pl.Int64())}
_SESSION_SQL = (
    f"{SESSIONS.select} WHERE tenant_id = {{tenant:String}} AND {WITHIN} AND {{key}} = {{value:String}}"
    " ORDER BY session_start DESC, session_id, log_epoch DESC, log_partition DESC LIMIT 1"
)
_COUNTS = ", ".join(f"countIf(event_type = '{kind}') AS {name}" for name, kind in COUNTERS.items())
_PRODUCT_SQL = (
    f"SELECT toDateTime64(toStartOfInterval(event_time, INTERVAL {WINDOW // timedelta(minutes=1)} MINUTE), 3, 'UTC')"
    f" AS window_start, {_COUNTS} FROM events WHERE tenant_id = {{tenant:String}} AND {WITHIN}"
    " AND product_id = {product:String} AND event_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')"
    f" AND event_type IN ({', '.join(repr(kind) for kind in COUNTERS.values())})"
    " GROUP BY window_start ORDER BY window_start DESC"
)
_Key = Annotated[str, Path(min_length=1, max_length=500)]


@router.get("/sessions/{session_id:path}", response_model=SESSION_ANSWER, summary="A session as it is now")
def session(context: InContext, tenant: Tenant, session_id: _Key) -> Any:
    """The latest session of the session id."""
    of = tenant or DEFAULT_TENANT

    def copied() -> dict[str, Any] | None:
        found = context.points.sessions(of, session_id)
        return _of_copy(found[-1]) if found else None

    return _answer(context, copied, lambda: _session(context, of, "session_id", session_id))


@router.get("/users/{user_id:path}", response_model=SESSION_ANSWER, summary="A user's last session")
def user(context: InContext, tenant: Tenant, user_id: _Key) -> Any:
    """The session of the user that began last."""
    of = tenant or DEFAULT_TENANT

    def copied() -> dict[str, Any] | None:
        found = context.points.last_session(of, user_id)
        return _of_copy(found) if found else None

    return _answer(context, copied, lambda: _session(context, of, "user_id", user_id))


@router.get("/products/{product_id:path}", response_model=PRODUCT_ANSWER, summary="A product now")
def product(context: InContext, tenant: Tenant, product_id: _Key) -> Any:
    """What happened to the product in the last hour, by windows of 5 minutes of event time."""
    of, since = tenant or DEFAULT_TENANT, _window_of(context.clock() - SPAN)

    def copied() -> dict[str, Any] | None:
        windows = context.points.windows(of, product_id, since)
        return _product(of, product_id, since, windows, "speed") if windows else None

    def asked() -> dict[str, Any] | None:
        windows = _windows(context, of, product_id, since)
        return _product(of, product_id, since, windows, "merged") if windows else None

    return _answer(context, copied, asked)


@dataclass(frozen=True)
class _Copy:
    """What the copy answers, and until when it is whole."""

    found: dict[str, Any] | None
    until: datetime | None


def _answer(
    context: Context, copied: Callable[[], dict[str, Any] | None], asked: Callable[[], dict[str, Any] | None]
) -> dict[str, Any]:
    copy = _copy(context, copied)
    now = context.clock()
    fresh = copy.until is not None and (now - copy.until).total_seconds() < FRESH_SECONDS
    if copy.found and fresh:
        return {"data": copy.found, "provenance": _provenance(context, "cassandra", copy.until, partial=False)}
    try:
        found = asked()
    except Problem as problem:
        if problem.kind is not UNAVAILABLE or not copy.found:
            raise
        return {"data": copy.found, "provenance": _provenance(context, "cassandra", copy.until, partial=True)}
    if found is None:
        raise Problem(NOT_FOUND, "nothing of this key is known lately; check the key, and the tenant")
    return {"data": found, "provenance": _provenance(context, "clickhouse", copy.until, partial=False)}


def _copy(context: Context, copied: Callable[[], dict[str, Any] | None]) -> _Copy:
    """Until when the copy is whole is read first, so that what is then found is at least as new."""
    try:
        until = context.points.copied_until()
        return _Copy(copied(), until)
    except PointsUnavailable:
        return _Copy(None, None)


def _provenance(context: Context, source: str, until: datetime | None, *, partial: bool) -> dict[str, Any]:
    now, applied = context.clock(), context.freshness.applied_until()
    lag = None if applied is None else max(0.0, (now - applied).total_seconds())
    return {
        "source": source,
        "partial": partial,
        "copied_until": until,
        "applied_until": applied,
        "speed_lag_seconds": lag,
        "answered_at": now,
    }


def _of_copy(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "layer": "speed", "publication_version": None}


def _session(context: Context, tenant: str, key: str, value: str) -> dict[str, Any] | None:
    days = latest_days(context.clock().date(), None, None)
    sql = _SESSION_SQL.replace("{key}", key)
    with context.store.client() as client:
        found = rows(client, sql, columns_read(SESSIONS.row), {"tenant": tenant, "value": value, **days.parameters})
    return found[0] if found else None


def _windows(context: Context, tenant: str, product_id: str, since: datetime) -> list[Window]:
    days = Days(since.date(), context.clock().date())
    parameters = {"tenant": tenant, "product": product_id, "since": milliseconds(since), **days.parameters}
    with context.store.client() as client:
        found = rows(client, _PRODUCT_SQL, _WINDOW_COLUMNS, parameters)
    return [Window(row["window_start"], {name: row[name] for name in COUNTERS}) for row in found]


def _product(tenant: str, product_id: str, since: datetime, windows: list[Window], layer: str) -> dict[str, Any]:
    totals = {name: sum(window.counts[name] for window in windows) for name in COUNTERS}
    shown = [{"window_start": window.window_start, **window.counts} for window in windows]
    key = {"tenant_id": tenant, "product_id": product_id, "layer": layer, "since": since}
    return {**key, **totals, "windows": shown}


def _window_of(moment: datetime) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // WINDOW * WINDOW
