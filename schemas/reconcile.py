"""How far two answers to one question differ: the speed layer's and the batch layer's rows, metric by metric.

Every metric is folded per group (the events of one session id, or one order), once from the rows of each layer. A group
is equal or differs; it is missing where only the batch has it, extra where only the speed layer does. SMAPE is the mean
over groups of 2 |s - b| / (|s| + |b|), 0 where both are 0 (Armstrong, Long-range forecasting, 1985, in the form with
bounds 0 and 2): 0 is agreement, 2 is nothing in common.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from schemas.metrics import Metric

WORST = 5
"""Offenders kept per metric."""

OFFENDER = pl.Struct({"group": pl.String, "speed": pl.Int64, "batch": pl.Int64})
RESULT_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "currency": pl.String(),
    "metric": pl.String(),
    "groups": pl.Int64(),
    "equal": pl.Int64(),
    "differing": pl.Int64(),
    "missing": pl.Int64(),
    "extra": pl.Int64(),
    "speed_total": pl.Int64(),
    "batch_total": pl.Int64(),
    "smape": pl.Float64(),
    "worst": pl.List(OFFENDER),
}
"""A row per tenant, currency ('' where money is not concerned) and metric. Totals of distinct metrics add up the
distinct values of each group. `missing` is what only the batch has, `extra` what only the speed layer has."""

_SHOP = ("tenant_id", "currency")
_COUNTS = ("groups", "equal", "differing", "missing", "extra", "speed_total", "batch_total")


def per_group(rows: pl.DataFrame, keys: Sequence[str], metrics: Sequence[Metric]) -> pl.DataFrame:
    """One row per group: `tenant_id`, `currency`, `group` and a column per metric, ratios left out."""
    currency = pl.col("currency") if "currency" in rows.columns else pl.lit("")
    group = pl.concat_str([pl.col(key).cast(pl.String) for key in keys], separator=" ")
    named = rows.with_columns(currency=currency, group=group)
    parts = {}
    for metric in (metric for metric in metrics if metric.kind != "ratio"):
        named = named.with_columns(
            pl.sql_expr(metric.where).alias(f"{metric.name}:where"), pl.sql_expr(metric.value).alias(metric.name)
        )
        parts[metric.name] = _fold(metric)
    return named.group_by(*_SHOP, "group").agg(**parts)


def compare(speed: pl.DataFrame, batch: pl.DataFrame) -> pl.DataFrame:
    """`RESULT_COLUMNS` of two results of `per_group` over the same metrics; results of parts may be `added`."""
    keys, metrics = [*_SHOP, "group"], [name for name in batch.columns if name not in (*_SHOP, "group")]
    sides = [frame.unpivot(metrics, index=keys, variable_name="metric", value_name="value") for frame in (speed, batch)]
    both = sides[0].join(sides[1], on=[*keys, "metric"], how="full", suffix="_batch", coalesce=True)
    has_speed, has_batch = pl.col("value").is_not_null(), pl.col("value_batch").is_not_null()
    s, b = pl.col("value").fill_null(0), pl.col("value_batch").fill_null(0)
    size = s.abs() + b.abs()
    rows = both.with_columns(
        away=(s - b).abs(),
        term=pl.when(size > 0).then(2 * (s - b).abs() / size).otherwise(0.0),
        s=s,
        b=b,
        equal=has_speed & has_batch & (s == b),
        differing=has_speed & has_batch & (s != b),
        missing=~has_speed,
        extra=~has_batch,
    ).sort("away", "group", descending=[True, False])
    offender = pl.struct(group=pl.col("group"), speed=pl.col("s"), batch=pl.col("b"))
    kinds = ("equal", "differing", "missing", "extra")
    found = rows.group_by(*_SHOP, "metric", maintain_order=True).agg(
        *[pl.col(kind).sum() for kind in kinds],
        groups=pl.len(),
        speed_total=pl.col("s").sum(),
        batch_total=pl.col("b").sum(),
        smape=pl.col("term").mean(),
        worst=offender.filter(~pl.col("equal")).head(WORST),
    )
    return found.select(pl.col(name).cast(kind) for name, kind in RESULT_COLUMNS.items())


def added(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The result over all groups, from results over disjoint parts of them."""
    rows = pl.concat(parts)
    sums = rows.with_columns(term=pl.col("smape") * pl.col("groups")).group_by(*_SHOP, "metric")
    found = sums.agg(
        *[pl.col(name).sum() for name in _COUNTS],
        smape=pl.col("term").sum() / pl.col("groups").sum(),
        worst=pl.col("worst").list.explode(keep_nulls=False, empty_as_null=False),
    )
    away = (pl.element().struct.field("speed") - pl.element().struct.field("batch")).abs()
    worst = pl.col("worst").list.eval(pl.element().sort_by(away, descending=True, maintain_order=True).head(WORST))
    return found.with_columns(worst=worst).select(list(RESULT_COLUMNS)).sort(*_SHOP, "metric")


def _fold(metric: Metric) -> pl.Expr:
    value, holds = pl.col(metric.name), pl.col(f"{metric.name}:where").fill_null(value=False)
    if metric.kind == "sum":
        return value.filter(holds).sum().cast(pl.Int64)
    if metric.kind == "distinct":
        return value.filter(holds).drop_nulls().n_unique().cast(pl.Int64)
    return (holds & value.is_not_null()).sum().cast(pl.Int64)
