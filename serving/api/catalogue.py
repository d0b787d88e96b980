"""``/v1/metrics`` and ``/v1/metrics/{name}``: any metric by span, grain and dimension, none outside the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from infra.clients.clickhouse import Client
from schemas.frames import TIMESTAMP
from schemas.metrics import GRAIN_KEYS, METRICS, Metric, Source
from schemas.rollup import fold
from serving.api.access import Caller, Tenant
from serving.api.caching import NOT_MODIFIED, InCaching
from serving.api.context import InContext
from serving.api.days import WITHIN, Days, required_days
from serving.api.models import page_of
from serving.api.paging import DEFAULT_SIZE, CursorText, Keyset, Page, Size
from serving.api.problems import invalid
from serving.api.provenance import Dataset, consistent
from serving.api.reading import PROBLEMS
from serving.api.store import rows

router = APIRouter(prefix="/metrics", tags=["metrics"], responses=PROBLEMS)

Bucket = Literal["hour", "day", "total"]
MetricName = StrEnum("MetricName", {metric.name: metric.name for metric in METRICS})  # type: ignore[misc]
_BY_NAME = {metric.name: metric for metric in METRICS}
_TIME: dict[Source, str] = {"sessions": "session_start", "events": "event_time", "orders": "order_time"}
_GROUPED = "tenant_id, session_id, log_epoch, log_partition"
_LATE: dict[Source, str] = {
    "sessions": f"uniqExactIf(({_GROUPED}), layer = 'speed' AND publication_version > 0)",
    "events": "countIf(layer = 'speed' AND publication_version > 0)",
    "orders": "countIf(layer = 'speed' AND publication_version > 0)",
}


class Dimension(StrEnum):
    """What a metric can be split by."""

    PLATFORM = "platform"
    DEVICE_CLASS = "device_class"
    COUNTRY = "country"
    PAYMENT_METHOD = "payment_method"


_DIMENSIONS: dict[Source, frozenset[Dimension]] = {
    "sessions": frozenset({Dimension.PLATFORM, Dimension.DEVICE_CLASS, Dimension.COUNTRY}),
    "events": frozenset({Dimension.PLATFORM, Dimension.DEVICE_CLASS, Dimension.COUNTRY}),
    "orders": frozenset({Dimension.PAYMENT_METHOD}),
}


class MetricInfo(BaseModel):
    """A metric of the catalogue."""

    name: str = Field(description="Name, as in `/v1/metrics/{name}`")
    unit: str = Field(description="Unit of its values")
    meaning: str = Field(description="What it is")
    dimensions: list[str] = Field(description="What it can be split by")
    by_currency: bool = Field(description="Values are per currency, which are never added")


class Catalogue(BaseModel):
    """The metrics there are."""

    data: list[MetricInfo] = Field(description="The metrics")


class MetricValue(BaseModel):
    """A metric of one tenant in one span of time."""

    tenant_id: str = Field(description="Customer that the row belongs to")
    start: datetime = Field(description="Start of the hour or day (UTC); with grain total, of the first day")
    currency: str = Field(description="ISO 4217 code of money metrics; empty for others")
    dimension: str = Field(description="Value of the dimension; empty where it is unknown or none was asked for")
    value: float | None = Field(description="The value; null where a ratio's denominator is 0")
    layer: Literal["batch", "speed", "merged"] = Field(description="Which layer the row comes from")
    publication_version: int = Field(description="Greatest version of the days' publications; 0: none is published")
    late_groups: int = Field(
        description="Session groups (of events and orders: facts) for which the speed layer answers on published days"
    )


_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "start": TIMESTAMP,
    "currency": pl.String(),
    "dimension": pl.String(),
    "value": pl.Float64(),
    "layer": pl.String(),
    "publication_version": pl.Int64(),
    "late_groups": pl.Int64(),
}
_KEYSET = Keyset({"start": "time", "tenant_id": "text", "currency": "text", "dimension": "text"})


@router.get("", response_model=Catalogue, summary="The metrics there are")
def catalogue(_caller: Caller) -> Catalogue:
    """The catalogue: everything that `/v1/metrics/{name}` answers."""
    return Catalogue(
        data=[
            MetricInfo(
                name=metric.name,
                unit=metric.unit,
                meaning=metric.meaning,
                dimensions=sorted(_DIMENSIONS[source_of(metric)]),
                by_currency="currency" in GRAIN_KEYS[metric.grain],
            )
            for metric in METRICS
        ]
    )


@router.get(
    "/{name}",
    response_model=page_of(MetricValue, "the metric"),
    responses=NOT_MODIFIED,
    summary="A metric by span, grain and dimension",
)
def metric(
    context: InContext,
    tenant: Tenant,
    caching: InCaching,
    name: Annotated[MetricName, Path(description="Name in the catalogue")],
    days: Annotated[Days, Depends(required_days)],
    grain: Annotated[
        Bucket, Query(description="Length of the spans: each hour, each day, or all days at once")
    ] = "day",
    by: Annotated[Dimension | None, Query(description="Split by this dimension")] = None,
    size: Size = DEFAULT_SIZE,
    cursor: CursorText = None,
) -> Any:
    """Values of one metric. Distinct counts over several days count everybody once.

    Sessions belong to the hour and day in which they begin, events and orders to their own.
    """
    wanted = _BY_NAME[name.value]
    source = source_of(wanted)
    if by is not None and by not in _DIMENSIONS[source]:
        allowed = ", ".join(sorted(_DIMENSIONS[source]))
        raise invalid("query.by", f"{wanted.name} can be split by {allowed}")
    question = Question(wanted, grain, by, days, tenant)
    page = Page(_KEYSET, repr(question), size, cursor)
    after, publication = page.start()
    sql, parameters = question.sql(bool(after)), {**question.parameters, **after, "row_limit": size + 1}
    dataset: Dataset = "orders" if source == "orders" else "events"

    def fetch(client: Client) -> list[dict[str, Any]]:
        return rows(client, sql, _COLUMNS, parameters)

    found, observed, origin = consistent(
        context.store, context.clock, dataset, days, fetch, publication, context.log.of(dataset)
    )
    return caching.of(page.cut(found, observed.publication) | {"provenance": origin}, days, context.clock())


def source_of(wanted: Metric) -> Source:
    """The view whose rows a metric is folded from; of a ratio that of its numerator."""
    return wanted.source or source_of(_BY_NAME[wanted.numerator])


@dataclass(frozen=True)
class Question:
    """A metric asked for: what it is split by, of which days and tenant (None: all)."""

    metric: Metric
    grain: Bucket
    by: Dimension | None
    days: Days
    tenant: str | None

    @property
    def parameters(self) -> dict[str, Any]:
        """The query's parameters."""
        return {**self.days.parameters, "tenant": self.tenant or ""}

    def sql(self, after: bool) -> str:
        """The query, of rows behind the cursor's if `after`."""
        source = source_of(self.metric)
        currency = "currency" if source == "orders" else "''"
        dimension = f"ifNull(toString({self.by.value}), '')" if self.by else "''"
        where = WITHIN + (" AND tenant_id = {tenant:String}" if self.tenant is not None else "")
        # Aliases that no column has: a condition on one would otherwise mean the column.
        folded = (
            f"SELECT tenant_id AS of_tenant, {self._start(source)} AS start, {currency} AS of_currency,"
            f" {dimension} AS dimension, {_value(self.metric)} AS value,"
            " multiIf(max(publication_version) = 0, 'speed', countIf(layer = 'speed') = 0, 'batch', 'merged')"
            " AS of_layer,"
            f" max(publication_version) AS version, {_LATE[source]} AS late_groups"
            f" FROM {source} WHERE {where} GROUP BY of_tenant, start, of_currency, dimension"
        )
        shown = (
            "SELECT of_tenant AS tenant_id, start, of_currency AS currency, dimension, value, of_layer AS layer,"
            f" version AS publication_version, late_groups FROM ({folded})"
        )
        behind = f" WHERE {_KEYSET.after}" if after else ""
        return f"SELECT * FROM ({shown}){behind} {_KEYSET.order} LIMIT {{row_limit:UInt32}}"

    def _start(self, source: Source) -> str:
        if self.grain == "hour":
            return f"toDateTime64(toStartOfHour({_TIME[source]}), 3, 'UTC')"
        return f"toDateTime64({'day' if self.grain == 'day' else '{first_day:Date}'}, 3, 'UTC')"


def _value(wanted: Metric) -> str:
    if wanted.kind != "ratio":
        return f"toFloat64({fold(wanted)})"
    top, bottom = fold(_BY_NAME[wanted.numerator]), fold(_BY_NAME[wanted.denominator])
    return f"if({bottom} = 0, NULL, {top} / {bottom} * {wanted.scale})"
