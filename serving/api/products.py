"""``/v1/products``: what happened to a product on a day."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from serving.api.access import Tenant
from serving.api.caching import NOT_MODIFIED, InCaching
from serving.api.context import InContext
from serving.api.days import Day, Days
from serving.api.models import PRODUCT_DAYS
from serving.api.paging import DEFAULT_SIZE, CursorText, Keyset, Size
from serving.api.problems import NOT_FOUND, Problem, documented
from serving.api.reading import PROBLEMS, Listing

router = APIRouter(prefix="/products", tags=["products"], responses=PROBLEMS)

_KEYSET = Keyset({"tenant_id": "text"})


@router.get(
    "/{product_id:path}",
    response_model=PRODUCT_DAYS.answer,
    responses=documented(NOT_FOUND) | NOT_MODIFIED,
    summary="Counters of a product on a day",
)
def product(
    context: InContext,
    tenant: Tenant,
    caching: InCaching,
    product_id: Annotated[str, Path(min_length=1, max_length=500, description="Product id as the client sent it")],
    day: Annotated[Day, Query(description="UTC day of the events", examples=["2026-01-31"])],
    size: Size = DEFAULT_SIZE,
    cursor: CursorText = None,
) -> Any:
    """Views, clicks, additions to carts and purchases, a row per tenant that has the product."""
    conditions = {"product_id = {product_id:String}": {"product_id": product_id}}
    listing = Listing(PRODUCT_DAYS, "events", _KEYSET, Days(day, day), tenant, conditions, caching)
    answer = listing.read(context, size, cursor)
    if not answer["data"] and cursor is None:
        raise Problem(NOT_FOUND, f"nothing happened to this product on {day}; check its id and the day")
    return answer
