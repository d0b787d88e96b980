"""The rows that the API answers with, made from the catalogue of metrics and the tables' definitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import GenericAlias
from typing import Any, Literal, get_args, get_origin

import polars as pl
from pydantic import BaseModel, Field, create_model

from schemas.frames import TIMESTAMP
from schemas.metrics import GRAIN_KEYS, Grain, Metric, of_grain
from schemas.products import COUNTERS
from schemas.sessions import SESSION_COLUMNS
from serving.api.columns import columns_of
from serving.api.examples import example_of
from serving.api.paging import PageInfo
from serving.api.provenance import Provenance

_POLARS: dict[Any, pl.DataType] = {
    int: pl.Int64(),
    float: pl.Float64(),
    str: pl.String(),
    list[str]: pl.List(pl.String),
    bool: pl.Boolean(),
    date: pl.Date(),
    datetime: TIMESTAMP,
}
_LAYER = (Literal["batch", "speed", "merged"], Field(description="Which layer the row comes from"))
_VERSION = (
    int | None,
    Field(description="Version of the day's publication; 0 where the day is not published, null in partial answers"),
)
_LATE = (
    int,
    Field(description="Groups (of revenue: order facts) for which the speed layer answers on a published day"),
)
_KEYS: dict[str, Any] = {
    "tenant_id": (str, Field(description="Customer that the row belongs to")),
    "day": (date, Field(description="UTC day")),
    "currency": (str, Field(description="ISO 4217 code; amounts of different currencies are never added")),
}


@dataclass(frozen=True)
class View:
    """A view as the API reads it: its name, and the model of its rows, whose fields are the columns read."""

    name: str
    row: type[BaseModel]

    @property
    def select(self) -> str:
        """SELECT of exactly the row's columns."""
        return f"SELECT {', '.join(self.row.model_fields)} FROM {self.name}"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The columns with the types in which they are read."""
        return columns_read(self.row)

    @property
    def answer(self) -> type[BaseModel]:
        """Model of a page of rows with its provenance."""
        return page_of(self.row, self.name)


def columns_read(row: type[BaseModel]) -> dict[str, pl.DataType]:
    """Column -> polars type of a row's fields; those that are no plain value are left out."""
    kinds = {name: _POLARS.get(_bare(field.annotation)) for name, field in row.model_fields.items()}
    return {name: kind for name, kind in kinds.items() if kind is not None}


def page_of(row: type[BaseModel], view: str) -> type[BaseModel]:
    """Model of a page of rows of a view with its provenance."""
    rows: Any = (GenericAlias(list, (row,)), Field(description="The rows"))
    return create_model(
        f"{row.__name__}Page",
        __doc__=f"A page of `{view}`.",
        data=rows,
        page=(PageInfo, ...),
        provenance=(Provenance, ...),
    )


def _bare(annotation: Any) -> Any:
    """The type without `None`."""
    if get_origin(annotation) is list:
        return annotation
    if get_args(annotation) and isinstance(get_args(annotation)[0], str):
        return str
    return next((part for part in get_args(annotation) if part is not type(None)), annotation)


def _of_grain(name: str, grain: Grain) -> View:
    keys = {key: _KEYS[key] for key in GRAIN_KEYS[grain]}
    metrics = {metric.name: _metric(metric) for metric in of_grain(grain)}
    return View(grain, _row(name, keys | metrics | {"late_groups": _LATE}))


def _metric(metric: Metric) -> Any:
    of_what = f"{metric.numerator} / {metric.denominator}, null where that is 0. " if metric.kind == "ratio" else ""
    return (
        float | None if metric.kind == "ratio" else int,
        Field(description=f"{metric.meaning}. {of_what}Unit: {metric.unit}"),
    )


def _of_table(name: str, view: str, table: str, columns: Iterable[str]) -> View:
    known = columns_of(table)
    fields = {column: (known[column].type, Field(description=known[column].meaning)) for column in columns}
    return View(view, _row(name, fields))


def _row(name: str, fields: Mapping[str, Any]) -> type[BaseModel]:
    complete = {**fields, "layer": _LAYER, "publication_version": _VERSION}
    return create_model(name, __config__=example_of(complete), **complete)


DAILY_METRICS = _of_grain("DailyMetrics", "daily_metrics")
DAILY_REVENUE = _of_grain("DailyRevenue", "daily_revenue")
SESSIONS = _of_table("Session", "sessions", "batch_sessions", [*SESSION_COLUMNS, "day"])
PRODUCT_DAYS = _of_table("ProductDay", "product_daily", "batch_products", ["tenant_id", "day", "product_id", *COUNTERS])
