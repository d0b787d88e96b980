"""``/v1/products/popular``: the products of which most was seen, clicked, put in carts or bought."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from infra.clients.clickhouse import Client
from schemas.frames import milliseconds
from schemas.products import COUNTERS
from serving.api.access import Tenant
from serving.api.context import InContext
from serving.api.days import WITHIN, Days
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
from serving.api.provenance import Provenance, consistent
from serving.api.store import rows

router = APIRouter(
    prefix="/products",
    tags=["products"],
    responses=documented(INVALID, UNAUTHENTICATED, FORBIDDEN, INCOMPLETE, TOO_MANY, UNAVAILABLE, BUSY),
)

MAX_MINUTES = 24 * 60
MAX_PRODUCTS = 100
Counter = StrEnum("Counter", {name: name for name in COUNTERS})  # type: ignore[misc]

_VIEWS = Counter("views")


class PopularProduct(BaseModel):
    """A product within the span, with what it was in the span before."""

    tenant_id: str = Field(description="Customer that the product belongs to")
    product_id: str = Field(description="Product")
    views: int = Field(description="Page views")
    clicks: int = Field(description="Clicks")
    add_to_carts: int = Field(description="Times put in a cart")
    purchases: int = Field(description="Purchase events")
    rank: int = Field(description="Place by the counter asked for, from 1; ties by product id")
    previous: int = Field(description="The counter in the span of the same length before")
    layer: Literal["batch", "speed", "merged"] = Field(description="Which layer the counts come from")
    publication_version: int = Field(description="Greatest version of the days' publications; 0: none is published")
    late_groups: int = Field(description="Facts for which the speed layer answers on published days")


class PopularProducts(BaseModel):
    """The products of the span, most first."""

    data: list[PopularProduct] = Field(description="The products")
    since: datetime = Field(description="Start of the span; it ends now")
    provenance: Provenance


_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "product_id": pl.String(),
    **dict.fromkeys(COUNTERS, pl.Int64()),
    "previous": pl.Int64(),
    "layer": pl.String(),
    "publication_version": pl.Int64(),
    "late_groups": pl.Int64(),
}
_SINCE = "fromUnixTimestamp64Milli({since:Int64}, 'UTC')"
_BEFORE = "fromUnixTimestamp64Milli({before:Int64}, 'UTC')"
_NOW = "fromUnixTimestamp64Milli({now:Int64}, 'UTC')"


def popular_sql(by: str, *, of_tenant: bool) -> str:
    """The query; its parameters are first_day, last_day, before, since, now (ms), row_limit and, if so, tenant."""
    counts = ", ".join(
        f"countIf(event_type = '{kind}' AND event_time >= {_SINCE}) AS {name}" for name, kind in COUNTERS.items()
    )
    kinds = ", ".join(f"'{kind}'" for kind in COUNTERS.values())
    tenant = " AND tenant_id = {tenant:String}" if of_tenant else ""
    return (
        f"SELECT tenant_id, assumeNotNull(product_id) AS product, {counts},"
        f" countIf(event_type = '{COUNTERS[by]}' AND event_time < {_SINCE}) AS previous,"
        " multiIf(max(publication_version) = 0, 'speed', countIf(layer = 'speed') = 0, 'batch', 'merged') AS of_layer,"
        " max(publication_version) AS version, countIf(layer = 'speed' AND publication_version > 0) AS late_groups"
        f" FROM events WHERE {WITHIN} AND event_time >= {_BEFORE} AND event_time < {_NOW}"
        f" AND product_id IS NOT NULL AND event_type IN ({kinds}){tenant}"
        f" GROUP BY tenant_id, product HAVING {by} > 0 ORDER BY {by} DESC, product, tenant_id"
        " LIMIT {row_limit:UInt32}"
    )


def popular_products(
    client: Client, now: datetime, span: timedelta, by: str, tenant: str | None, limit: int
) -> list[dict[str, Any]]:
    """The products of the span that ends at `now`, most first, with their rank."""
    parameters = {
        "first_day": (now - 2 * span).date(),
        "last_day": now.date(),
        "before": milliseconds(now - 2 * span),
        "since": milliseconds(now - span),
        "now": milliseconds(now),
        "row_limit": limit,
        "tenant": tenant or "",
    }
    sql = (
        "SELECT * EXCEPT (product, of_layer, version), product AS product_id, of_layer AS layer,"
        f" version AS publication_version FROM ({popular_sql(by, of_tenant=tenant is not None)})"
        f" ORDER BY {by} DESC, product_id, tenant_id"
    )
    return [{**row, "rank": place} for place, row in enumerate(rows(client, sql, _COLUMNS, parameters), 1)]


@router.get("/popular", response_model=PopularProducts, summary="The most popular products lately")
def popular(
    context: InContext,
    tenant: Tenant,
    minutes: Annotated[int, Query(ge=1, le=MAX_MINUTES, description="Length of the span that ends now")] = 60,
    by: Annotated[Counter, Query(description="The counter that decides")] = _VIEWS,
    limit: Annotated[int, Query(ge=1, le=MAX_PRODUCTS, description="How many products")] = 10,
) -> Any:
    """Counts by event time within the span, and the deciding counter in the span before, which shows the movement."""
    now, span = context.clock(), timedelta(minutes=minutes)
    days = Days((now - 2 * span).date(), now.date())

    def fetch(client: Client) -> list[dict[str, Any]]:
        return popular_products(client, now, span, by.value, tenant, limit)

    found, _, origin = consistent(context.store, context.clock, "events", days, fetch, ends=context.log.of("events"))
    return {"data": found, "since": now - span, "provenance": origin}
