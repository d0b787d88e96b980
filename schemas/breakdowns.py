"""The figures of a day by device, country, hour and category: the metrics of the catalogue, folded within each.

A row is one figure. `dimension` 'all' is the whole of a tenant's day. Users are distinct within a row, so that rows of
one dimension do not add up to those of 'all'. The catalogue says what is counted: a metric that is added there is here.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from schemas.metrics import METRICS, Metric, Source

BREAKDOWN_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "dimension": pl.String(),
    "member": pl.String(),
    "currency": pl.String(),
    "metric": pl.String(),
    "value": pl.Float64(),
}
"""`currency` is '' but for money and orders, whose figures of different currencies are never added."""

KEYS = ("day", "tenant_id", "dimension", "member", "currency", "metric")
UNKNOWN = "unknown"
EVERY_ROW = "1 = 1"
LOOKBACK_DAYS = 30
"""A user who did nothing in so many days before is new, or came back after so long that it makes no difference."""


def _hour(column: str) -> pl.Expr:
    return pl.col(column).dt.strftime("%H")


def _or_unknown(column: str) -> pl.Expr:
    return pl.col(column).fill_null(UNKNOWN)


DIMENSIONS: Mapping[Source, Mapping[str, pl.Expr]] = {
    "sessions": {
        "all": pl.lit(""),
        "device": _or_unknown("device_class"),
        "country": _or_unknown("country"),
        "hour": _hour("session_start"),
    },
    "events": {
        "all": pl.lit(""),
        "device": _or_unknown("device_class"),
        "country": _or_unknown("country"),
        "hour": _hour("event_time"),
    },
    "orders": {"all": pl.lit(""), "hour": _hour("order_time")},
}
"""Source -> dimension -> the member that a row belongs to. Hours are those of UTC, of the start of a session."""


def break_down(rows: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """The figures of every dimension from rows of a source with `day`; ratios come later, from both their terms."""
    folded = [metric for metric in METRICS if metric.source == source]
    currency = pl.col("currency") if source == "orders" else pl.lit("")
    figures = {metric.name: _fold(metric) for metric in folded}
    return _of_dimensions(rows, DIMENSIONS[source], currency, figures)


def loyalty(sessions: pl.LazyFrame, earlier: pl.LazyFrame) -> pl.LazyFrame:
    """New and returning users; `earlier` has `day`, `tenant_id` and `user_id` of who was there in the days before.

    A user is new on a day without an earlier one within `LOOKBACK_DAYS`, and returning otherwise.
    """
    seen = earlier.select("tenant_id", "user_id", earlier_day="day").unique()
    users = sessions.filter(pl.col("user_id").is_not_null())
    known = users.select("day", "tenant_id", "user_id").unique().join(seen, on=["tenant_id", "user_id"])
    before = pl.col("day") - pl.col("earlier_day")
    within = (before > pl.duration(days=0)) & (before <= pl.duration(days=LOOKBACK_DAYS))
    returning = known.filter(within).select("day", "tenant_id", "user_id", known=pl.lit(value=True)).unique()
    marked = users.join(returning, on=["day", "tenant_id", "user_id"], how="left")
    is_known = pl.col("known").fill_null(value=False)
    figures = {
        "new_users": pl.col("user_id").filter(~is_known).n_unique(),
        "returning_users": pl.col("user_id").filter(is_known).n_unique(),
    }
    return _of_dimensions(marked, DIMENSIONS["sessions"], pl.lit(""), figures)


def categories(orders: pl.LazyFrame) -> pl.LazyFrame:
    """Sales by category, from order facts with `day`: of completed orders, by line.

    `units` are pieces, `sales_minor` their amount in minor units, `buyers` distinct users.
    """
    lines = orders.filter(pl.col("status") == "completed").explode("items").unnest("items")
    figures = {
        "units": pl.col("quantity").cast(pl.Int64).sum(),
        "sales_minor": (pl.col("quantity").cast(pl.Int64) * pl.col("price_minor")).sum(),
        "buyers": pl.col("user_id").n_unique(),
    }
    return _of_dimensions(lines, {"category": _or_unknown("category")}, pl.col("currency"), figures)


def with_ratios(rows: pl.DataFrame) -> pl.DataFrame:
    """The figures and the ratios whose terms are among them; null terms and 0 below make none."""
    ratios = [_ratio(rows, metric) for metric in METRICS if metric.kind == "ratio"]
    return pl.concat([rows, *ratios]).select("day", *BREAKDOWN_COLUMNS).sort(KEYS)


def _ratio(rows: pl.DataFrame, metric: Metric) -> pl.DataFrame:
    keys = [key for key in KEYS if key != "metric"]
    top = rows.filter(metric=metric.numerator).drop("metric")
    bottom = rows.filter((pl.col("metric") == metric.denominator) & (pl.col("value") != 0)).drop("metric")
    both = top.join(bottom, on=keys, suffix="_below")
    value = pl.col("value") / pl.col("value_below") * metric.scale
    return both.select(*keys, metric=pl.lit(metric.name), value=value).select(rows.columns)


def _fold(metric: Metric) -> pl.Expr:
    where, value = pl.sql_expr(metric.where), pl.sql_expr(metric.value)
    if metric.kind == "count":
        return pl.len() if metric.where == EVERY_ROW else where.sum()
    if metric.kind == "sum":
        return value.cast(pl.Int64).filter(where).sum()
    return value.filter(where & value.is_not_null()).n_unique()


def _of_dimensions(
    rows: pl.LazyFrame, dimensions: Mapping[str, pl.Expr], currency: pl.Expr, figures: Mapping[str, pl.Expr]
) -> pl.LazyFrame:
    return pl.concat(_of_dimension(rows, name, member, currency, figures) for name, member in dimensions.items())


def _of_dimension(
    rows: pl.LazyFrame, name: str, member: pl.Expr, currency: pl.Expr, figures: Mapping[str, pl.Expr]
) -> pl.LazyFrame:
    keys = ["day", "tenant_id", "member", "currency"]
    grouped = rows.with_columns(member=member, currency=currency).group_by(keys)
    folded = grouped.agg(**{metric: fold.cast(pl.Float64) for metric, fold in figures.items()})
    long = folded.unpivot(list(figures), index=keys, variable_name="metric", value_name="value")
    return long.with_columns(dimension=pl.lit(name)).select(*KEYS, "value")
