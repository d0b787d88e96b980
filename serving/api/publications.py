"""``/v1/publications``: what the batch layer has published, and when."""

from __future__ import annotations

from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, create_model

from serving.api.access import Caller
from serving.api.columns import columns_of
from serving.api.context import InContext
from serving.api.days import WITHIN, OptionalFrom, OptionalTo, latest_days
from serving.api.examples import example_of
from serving.api.models import columns_read, page_of
from serving.api.paging import DEFAULT_SIZE, CursorText, Keyset, Page, Size
from serving.api.problems import FORBIDDEN, INVALID, TOO_MANY, UNAUTHENTICATED, UNAVAILABLE, documented
from serving.api.provenance import Dataset, observe, provenance
from serving.api.store import rows
from serving.keys import ALL_TENANTS

router = APIRouter(
    prefix="/publications",
    tags=["operations"],
    responses=documented(INVALID, UNAUTHENTICATED, FORBIDDEN, TOO_MANY, UNAVAILABLE),
)

_KEYSET = Keyset({"sequence": "number", "day": "day"}, descending=True)
_CUT = pl.List(pl.Struct({"key": pl.Int64, "value": pl.Int64}))


def _model() -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (column.type, Field(description=column.meaning))
        for name, column in columns_of("batch_publications").items()
    }
    # A snapshot id has 63 bits, and numbers of JavaScript have 53.
    fields["snapshot_id"] = (str, fields["snapshot_id"][1])
    meaning = f"{fields['cut'][1].description}; null for keys of one tenant: it counts the records of every tenant"
    fields["cut"] = (dict[int, int] | None, Field(description=meaning))
    fields["current"] = (bool, Field(description="Readers of the day get this publication"))
    return create_model("Publication", __config__=example_of(fields), **fields)


PUBLICATION = _model()
_COLUMNS = columns_read(PUBLICATION) | {"cut": _CUT}


@router.get("", response_model=page_of(PUBLICATION, "publications"), summary="History of publications")
def publications(
    context: InContext,
    caller: Caller,
    dataset: Annotated[Dataset, Query(description="Which history")] = "events",
    first: OptionalFrom = None,
    last: OptionalTo = None,
    current: Annotated[
        bool | None, Query(description="Only those that readers get now, or only those replaced")
    ] = None,
    size: Size = DEFAULT_SIZE,
    cursor: CursorText = None,
) -> Any:
    """The publications of the days, latest first. Days that were computed together share `publication_id`."""
    days = latest_days(context.clock().date(), first, last)
    page = Page(_KEYSET, repr(("publications", dataset, str(days), current)), size, cursor)
    after, _ = page.start()
    conditions = ["dataset = {dataset:String}", WITHIN]
    conditions += [] if current is None else ["current = {current:Bool}"]
    conditions += [_KEYSET.after] if after else []
    sql = (
        f"SELECT {', '.join(PUBLICATION.model_fields)} FROM publications"
        f" WHERE {' AND '.join(conditions)} {_KEYSET.order} LIMIT {{row_limit:UInt32}}"
    )
    parameters = {"dataset": dataset, **days.parameters, "current": current, **after, "row_limit": size + 1}
    with context.store.client() as client:
        observed = observe(client, dataset, days)
        found = rows(client, sql, _COLUMNS, parameters)
    shown = [_shown(row, with_cut=caller.tenant == ALL_TENANTS) for row in found]
    return page.cut(shown, observed.publication) | {
        "provenance": provenance(dataset, observed, context.clock(), context.log.of(dataset))
    }


def _shown(row: dict[str, Any], *, with_cut: bool) -> dict[str, Any]:
    cut = {pair["key"]: pair["value"] for pair in row["cut"]} if with_cut else None
    return row | {"cut": cut}
