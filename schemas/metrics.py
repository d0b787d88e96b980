"""The catalogue of metrics: each is defined here once. Views, documentation and the API are made from it.

`value` and `where` are scalar SQL over the columns of `source`, in the subset that ClickHouse, Spark and polars share.
A ratio names two other metrics of the same grain and is null where its denominator is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["count", "sum", "distinct", "ratio"]
Source = Literal["sessions", "events", "orders"]
Grain = Literal["daily_metrics", "daily_revenue"]

GRAIN_KEYS: dict[Grain, tuple[str, ...]] = {
    "daily_metrics": ("tenant_id", "day"),
    "daily_revenue": ("tenant_id", "day", "currency"),
}


@dataclass(frozen=True)
class Metric:
    """One metric. `kind` says how rows are folded; ratios take `numerator`, `denominator` and `scale` instead."""

    name: str
    grain: Grain
    kind: Kind
    unit: str
    meaning: str
    source: Source | None = None
    value: str = "1"
    where: str = "1 = 1"
    numerator: str = ""
    denominator: str = ""
    scale: float = 1.0


def _daily(
    name: str, kind: Kind, source: Source, unit: str, meaning: str, *, value: str = "1", where: str = "1 = 1"
) -> Metric:
    return Metric(name, "daily_metrics", kind, unit, meaning, source, value, where)


def _events(name: str, event_type: str, meaning: str) -> Metric:
    return _daily(name, "count", "events", "events", meaning, where=f"event_type = '{event_type}'")


def _rate(name: str, numerator: str, denominator: str, unit: str, meaning: str, scale: float = 1.0) -> Metric:
    return Metric(
        name, "daily_metrics", "ratio", unit, meaning, numerator=numerator, denominator=denominator, scale=scale
    )


def _revenue(name: str, kind: Kind, unit: str, meaning: str, *, value: str = "1", where: str = "1 = 1") -> Metric:
    return Metric(name, "daily_revenue", kind, unit, meaning, "orders", value, where)


METRICS: tuple[Metric, ...] = (
    _daily(
        "active_users",
        "distinct",
        "sessions",
        "users",
        "Distinct signed-in users of the day's sessions",
        value="user_id",
    ),
    _daily(
        "visitors", "distinct", "sessions", "visitors", "Distinct visitors of the day's sessions", value="visitor_id"
    ),
    _daily("sessions", "count", "sessions", "sessions", "Sessions that begin on the day"),
    _daily("engaged_sessions", "count", "sessions", "sessions", "Sessions that are engaged", where="engaged"),
    _daily("bounced_sessions", "count", "sessions", "sessions", "Sessions that are not engaged", where="NOT engaged"),
    _events("page_views", "page_view", "Page views, by the day of the event"),
    _events("clicks", "click", "Clicks, by the day of the event"),
    _events("searches", "search", "Searches, by the day of the event"),
    _events("add_to_carts", "add_to_cart", "Products put in a cart, by the day of the event"),
    _daily("conversions", "count", "sessions", "sessions", "Sessions with a purchase event", where="converted"),
    _daily("timed_sessions", "count", "sessions", "sessions", "Sessions of at most 24 hours", where="NOT overlong"),
    _daily("session_ms", "sum", "sessions", "ms", "Time in timed sessions", value="duration_ms", where="NOT overlong"),
    _rate("conversion_rate", "conversions", "sessions", "ratio 0..1", "Share of sessions with a purchase"),
    _rate("bounce_rate", "bounced_sessions", "sessions", "ratio 0..1", "Share of sessions that are not engaged"),
    _rate("avg_session_seconds", "session_ms", "timed_sessions", "s", "Mean length of timed sessions", 0.001),
    _revenue("orders", "count", "orders", "Orders completed on the day", where="status = 'completed'"),
    _revenue("refunds", "count", "orders", "Orders refunded on the day", where="status = 'refunded'"),
    _revenue(
        "gross_revenue_minor",
        "sum",
        "minor units",
        "Amount of completed orders",
        value="amount_minor",
        where="status = 'completed'",
    ),
    _revenue(
        "net_revenue_minor",
        "sum",
        "minor units",
        "Amount of completed orders less that of refunded ones",
        value="CASE WHEN status = 'refunded' THEN -amount_minor ELSE amount_minor END",
        where="status IN ('completed', 'refunded')",
    ),
    Metric(
        "avg_order_value_minor",
        "daily_revenue",
        "ratio",
        "minor units",
        "Gross revenue per completed order",
        numerator="gross_revenue_minor",
        denominator="orders",
    ),
)


def of_grain(grain: Grain) -> tuple[Metric, ...]:
    """The metrics of one view, in the order of its columns."""
    return tuple(metric for metric in METRICS if metric.grain == grain)
