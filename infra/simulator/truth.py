"""What a simulation expects the pipeline to answer, added up while the records are made and from nothing else."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from infra.simulator.catalogue import Shopper

ENGAGED_MS = 10_000
OVERLONG_MS = DAY_MS = 86_400_000
EPOCH = date(1970, 1, 1).toordinal()


def utc_day(time_ms: int) -> date:
    """Return the UTC day of a time in milliseconds."""
    return date.fromordinal(EPOCH + time_ms // DAY_MS)


@dataclass(frozen=True, slots=True)
class IntendedSession:
    """A session as it was meant: no pause in it reaches 30 minutes, and 30 or more lie before and after it."""

    tenant_id: str
    session_id: str
    user_id: str | None
    start_ms: int
    end_ms: int
    page_views: int
    add_to_carts: int
    purchases: int
    context: dict[str, Any]

    @property
    def overlong(self) -> bool:
        """Tell whether the session lasts more than 24 hours."""
        return self.end_ms - self.start_ms > OVERLONG_MS

    @property
    def engaged(self) -> bool:
        """Tell whether the session counts as engaged."""
        active = self.add_to_carts or self.purchases or self.page_views > 1
        return not self.overlong and bool(self.end_ms - self.start_ms > ENGAGED_MS or active)


@dataclass(frozen=True)
class ExpectedMetrics:
    """A row of `daily_metrics`; rates and the mean are None where there is nothing to divide by."""

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
class ExpectedRevenue:
    """A row of `daily_revenue`; money in minor units."""

    orders: int
    refunds: int
    gross_revenue_minor: int
    net_revenue_minor: int
    avg_order_value_minor: float | None


@dataclass
class Truth:
    """The expected answer, complete once the simulation's messages are exhausted.

    `sent`, `duplicates` and `dead_letters` count records by topic, so that used + duplicates + dead letters = sent
    (cold records, of which there are none when all are received within the horizon, are among the used ones here).
    """

    sessions: dict[tuple[str, date], list[IntendedSession]] = field(default_factory=lambda: defaultdict(list))
    events: Counter[tuple[str, date, str]] = field(default_factory=Counter)
    orders: Counter[tuple[str, date, str, str]] = field(default_factory=Counter)
    amounts: Counter[tuple[str, date, str, str]] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)

    def add_event(self, tenant_id: str, time_ms: int, kind: str) -> None:
        """Count a good event on its own day."""
        self.events[tenant_id, utc_day(time_ms), kind] += 1

    def add_session(self, session: IntendedSession) -> None:
        """Keep a session on the day it began."""
        self.sessions[session.tenant_id, utc_day(session.start_ms)].append(session)

    def add_order(self, shopper: Shopper, time_ms: int, status: str, amount_minor: int) -> None:
        """Book a status of an order on its own day."""
        key = (shopper.tenant_id, utc_day(time_ms), shopper.currency, status)
        self.orders[key] += 1
        self.amounts[key] += amount_minor

    def daily_metrics(self) -> dict[tuple[str, date], ExpectedMetrics]:
        """Return the rows by tenant and day, for every day with an event."""
        days = sorted({(tenant, day) for tenant, day, _ in self.events})
        return {(tenant, day): self._metrics(tenant, day) for tenant, day in days}

    def _metrics(self, tenant: str, day: date) -> ExpectedMetrics:
        sessions = self.sessions.get((tenant, day), [])
        engaged = sum(session.engaged for session in sessions)
        conversions = sum(session.purchases > 0 for session in sessions)
        return ExpectedMetrics(
            active_users=len({session.user_id for session in sessions} - {None}),
            visitors=len({session.user_id or session.session_id for session in sessions}),
            sessions=len(sessions),
            engaged_sessions=engaged,
            page_views=self.events[tenant, day, "page_view"],
            clicks=self.events[tenant, day, "click"],
            searches=self.events[tenant, day, "search"],
            add_to_carts=self.events[tenant, day, "add_to_cart"],
            conversions=conversions,
            conversion_rate=conversions / len(sessions) if sessions else None,
            bounce_rate=1 - engaged / len(sessions) if sessions else None,
            avg_session_seconds=mean_seconds(sessions),
        )

    def daily_revenue(self) -> dict[tuple[str, date, str], ExpectedRevenue]:
        """Return the rows by tenant, day and currency, for every day with an order of any status."""
        keys = sorted({(tenant, day, currency) for tenant, day, currency, _ in self.orders})
        return {key: self._revenue(*key) for key in keys}

    def _revenue(self, tenant: str, day: date, currency: str) -> ExpectedRevenue:
        completed, refunded = (tenant, day, currency, "completed"), (tenant, day, currency, "refunded")
        orders, gross = self.orders[completed], self.amounts[completed]
        return ExpectedRevenue(
            orders=orders,
            refunds=self.orders[refunded],
            gross_revenue_minor=gross,
            net_revenue_minor=gross - self.amounts[refunded],
            avg_order_value_minor=gross / orders if orders else None,
        )


def mean_seconds(sessions: Iterable[IntendedSession]) -> float | None:
    """Return the mean duration of the sessions that are not overlong."""
    durations = [session.end_ms - session.start_ms for session in sessions if not session.overlong]
    return sum(durations) / len(durations) / 1000 if durations else None
