"""The merged views: SQL templates of `views/`, filled from the frames' columns and the catalogue of metrics."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from schemas.frames import EVENT_COLUMNS, GROUP, ORDER_COLUMNS, STRING_MAP, TIMESTAMP
from schemas.metrics import GRAIN_KEYS, Grain, Metric, of_grain
from schemas.products import COUNTERS
from schemas.sessions import SESSION_COLUMNS
from serving import hot

_FOLDER = Path(__file__).parent / "views"

INTERNAL = ("current_publications", "holes", "late_facts", "late_orders", "late_groups")
"""Views that others are made of, in the order in which they depend on each other."""

ANALYST = (
    "events",
    "sessions",
    "orders",
    "product_daily",
    "daily_metrics",
    "daily_revenue",
    "publications",
    "progress",
    "dead_letters",
)
"""Views for analysts."""

_RAISE = "toUInt8(message)"
"""Fails with the message, which is no number, in its text."""

_ITEMS = "Array(Tuple(product_id String, quantity Int32, price_minor Int64, category String))"


def statements() -> list[tuple[str, str]]:
    """(name, CREATE OR REPLACE VIEW ...) of every view, in an order in which they can be created."""
    filling = _filling()
    merged = [(name, _create(name, filling)) for name in (*INTERNAL, *ANALYST)]
    return [*merged, *hot.statements()]


def _create(name: str, filling: dict[str, str]) -> str:
    text = (_FOLDER / f"{name}.sql").read_text()
    if name in GRAIN_KEYS:
        filling = filling | {"metrics": _final(of_grain(name))}
    for key, value in filling.items():
        text = text.replace("{" + key + "}", value)
    return f"CREATE OR REPLACE VIEW {name} AS\n{text}"


def _filling() -> dict[str, str]:
    sessions = [column for column in SESSION_COLUMNS if column not in GROUP]
    return {
        "event_columns": _list(EVENT_COLUMNS),
        "event_defaults": _list(map(_default, EVENT_COLUMNS.values())),
        "order_columns": _list(ORDER_COLUMNS),
        "order_defaults": _list(map(_default, ORDER_COLUMNS.values())),
        "group_columns": _list(GROUP),
        "group_defaults": _list(_default(SESSION_COLUMNS[column]) for column in GROUP),
        "session_columns": _list(sessions),
        "session_defaults": _list(_default(SESSION_COLUMNS[column]) for column in sessions),
        "nested_session_columns": _list(f"session.{column} AS {column}" for column in sessions),
        "counters": _list(COUNTERS),
        "counter_sums": _list(f"sum(part.{name}) AS {name}" for name in COUNTERS),
        "counter_facts": _list(f"toUInt64(event_type = '{kind}') AS {name}" for name, kind in COUNTERS.items()),
        "counter_defaults": _list(f"toUInt64({_RAISE}) AS {name}" for name in COUNTERS),
        "raise": _RAISE,
        "counted_types": _list(f"'{kind}'" for kind in COUNTERS.values()),
        "session_partials": _partials("daily_metrics", "sessions"),
        "event_partials": _partials("daily_metrics", "events"),
        "no_partials": _partials("daily_metrics", ""),
        "order_partials": _partials("daily_revenue", "orders"),
    }


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)


def _default(dtype: pl.DataType) -> str:
    """A value of the column's type for the row of a hole. No value is ever read: making it raises the message.

    All are made of the message, for a constant would let the engine drop the row by a condition on that column alone.
    """
    if dtype == TIMESTAMP:
        return f"toDateTime64({_RAISE}, 3, 'UTC')"
    if dtype == STRING_MAP:
        return f"map(toString({_RAISE}), '')"
    if dtype == pl.List(pl.String):
        return f"[toString({_RAISE})]"
    if isinstance(dtype, pl.List):
        return f"CAST([(toString({_RAISE}), 0, 0, '')], '{_ITEMS}')"
    return {pl.String: f"toString({_RAISE})", pl.Boolean: f"toBool({_RAISE})"}.get(type(dtype), _RAISE)


def _partials(grain: Grain, source: str) -> str:
    """The partial values of the grain's metrics that one source gives; 0 for those of other sources."""
    folded = [metric for metric in of_grain(grain) if metric.kind != "ratio"]
    return _list(f"{_fold(m) if m.source == source else _zero(m)} AS {m.name}" for m in folded)


def _zero(metric: Metric) -> str:
    return "toInt64(0)" if metric.kind == "sum" else "toUInt64(0)"


def _fold(metric: Metric) -> str:
    if metric.kind == "count":
        return f"countIf({metric.where})"
    if metric.kind == "sum":
        return f"sumIf(toInt64({metric.value}), {metric.where})"
    return f"uniqExactIf({metric.value}, {metric.where})"


def _final(metrics: Iterable[Metric]) -> str:
    return _list(f"{_finished(metric)} AS {metric.name}" for metric in metrics)


def _finished(metric: Metric) -> str:
    """Each partial comes from one source alone, so the sum over the sources is the value, also of distinct counts."""
    if metric.kind != "ratio":
        return f"sum(part.{metric.name})"
    scale = "" if metric.scale == 1 else f" * {metric.scale}"
    top, bottom = f"sum(part.{metric.numerator})", f"sum(part.{metric.denominator})"
    return f"if({bottom} = 0, NULL, {top} / {bottom}{scale})"
