"""The figures over facts and sessions: product counters, `daily_metrics`, `daily_revenue`."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from tests.oracle.records import Event, Order
from tests.oracle.sessions import Session

WINDOW_MS = 5 * 60_000
PRODUCT_KINDS = {"page_view": "views", "click": "clicks", "add_to_cart": "add_to_carts", "purchase": "purchases"}


class ProductDay(NamedTuple):
    """Key of a product counter; kind is views, clicks, add_to_carts or purchases."""

    tenant_id: str
    day: date
    product_id: str
    kind: str


class ProductWindow(NamedTuple):
    """Key of a product counter of the five minutes that begin at `start_ms`."""

    tenant_id: str
    start_ms: int
    product_id: str
    kind: str


class ProductSale(NamedTuple):
    """Key of what was sold of a product in five minutes."""

    tenant_id: str
    start_ms: int
    product_id: str
    currency: str


class TenantDay(NamedTuple):
    """Key of a `daily_metrics` row."""

    tenant_id: str
    day: date


class TenantDayCurrency(NamedTuple):
    """Key of a `daily_revenue` row."""

    tenant_id: str
    day: date
    currency: str


@dataclass(frozen=True)
class DailyMetrics:
    """A `daily_metrics` row; rates and the mean are None where there is nothing to divide by."""

    active_users: int
    visitors: int
    sessions: int
    engaged_sessions: int
    page_views: int
    clicks: int
    searches: int
    add_to_carts: int
    conversions: int
    conversion_rate: float | None
    bounce_rate: float | None
    avg_session_seconds: float | None


@dataclass(frozen=True)
class DailyRevenue:
    """A `daily_revenue` row; money in minor units of the currency of its key."""

    orders: int
    refunds: int
    gross_revenue_minor: int
    net_revenue_minor: int
    avg_order_value_minor: float | None


def product_days(events: Iterable[Event]) -> dict[ProductDay, int]:
    """Count the events of each product, day and kind."""
    return dict(
        Counter(
            ProductDay(event.tenant_id, event.day, event.product_id, PRODUCT_KINDS[event.event_type])
            for event in events
            if event.product_id is not None and event.event_type in PRODUCT_KINDS
        )
    )


def product_windows(events: Iterable[Event]) -> dict[ProductWindow, int]:
    """Count the events of each product, five-minute window and kind."""
    return dict(
        Counter(
            ProductWindow(
                event.tenant_id,
                event.time_ms - event.time_ms % WINDOW_MS,
                event.product_id,
                PRODUCT_KINDS[event.event_type],
            )
            for event in events
            if event.product_id is not None and event.event_type in PRODUCT_KINDS
        )
    )


def product_sales(orders: Iterable[Order]) -> dict[ProductSale, tuple[int, int]]:
    """Return units and gross revenue of completed orders, by product, five-minute window and currency."""
    sales: dict[ProductSale, tuple[int, int]] = {}
    for order in orders:
        for item in order.items if order.status == "completed" else ():
            key = ProductSale(
                order.tenant_id, order.time_ms - order.time_ms % WINDOW_MS, item.product_id, order.currency
            )
            units, revenue = sales.get(key, (0, 0))
            sales[key] = units + item.quantity, revenue + item.quantity * item.price_minor
    return sales


def daily_metrics(events: Iterable[Event], sessions: Iterable[Session]) -> dict[TenantDay, DailyMetrics]:
    """Return a row for every tenant and day that has an event."""
    events_of: dict[TenantDay, list[Event]] = defaultdict(list)
    sessions_of: dict[TenantDay, list[Session]] = defaultdict(list)
    for event in events:
        events_of[TenantDay(event.tenant_id, event.day)].append(event)
    for session in sessions:
        sessions_of[TenantDay(session.tenant_id, session.day)].append(session)
    return {key: metrics_of_day(events_of[key], sessions_of[key]) for key in sorted(events_of)}


def metrics_of_day(events: list[Event], sessions: list[Session]) -> DailyMetrics:
    """Return the figures of one tenant's day from its events and its sessions."""
    kinds = Counter(event.event_type for event in events)
    engaged = sum(session.engaged for session in sessions)
    conversions = sum(session.converted for session in sessions)
    durations = [session.duration_ms for session in sessions if not session.overlong]
    return DailyMetrics(
        active_users=len({session.user_id for session in sessions if session.user_id is not None}),
        visitors=len({session.visitor_id for session in sessions}),
        sessions=len(sessions),
        engaged_sessions=engaged,
        page_views=kinds["page_view"],
        clicks=kinds["click"],
        searches=kinds["search"],
        add_to_carts=kinds["add_to_cart"],
        conversions=conversions,
        conversion_rate=conversions / len(sessions) if sessions else None,
        bounce_rate=1 - engaged / len(sessions) if sessions else None,
        avg_session_seconds=sum(durations) / len(durations) / 1000 if durations else None,
    )


def daily_revenue(orders: Iterable[Order]) -> dict[TenantDayCurrency, DailyRevenue]:
    """Return a row for every tenant, day and currency that has an order fact, of whatever status."""
    orders_of: dict[TenantDayCurrency, list[Order]] = defaultdict(list)
    for order in orders:
        orders_of[TenantDayCurrency(order.tenant_id, order.day, order.currency)].append(order)
    return {key: revenue_of_day(orders_of[key]) for key in sorted(orders_of)}


def revenue_of_day(orders: list[Order]) -> DailyRevenue:
    """Return the money of one tenant, day and currency; pending and cancelled facts book nothing."""
    completed = [order.amount_minor for order in orders if order.status == "completed"]
    refunded = [order.amount_minor for order in orders if order.status == "refunded"]
    return DailyRevenue(
        orders=len(completed),
        refunds=len(refunded),
        gross_revenue_minor=sum(completed),
        net_revenue_minor=sum(completed) - sum(refunded),
        avg_order_value_minor=sum(completed) / len(completed) if completed else None,
    )
