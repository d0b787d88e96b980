"""The overview: what the dashboard shows, and `GET /v1/overview` answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from infra.clients.clickhouse import Client
from schemas.money import EXPONENTS
from serving.api.analyses import DEFAULT_STEPS, FunnelQuestion
from serving.api.days import Days
from serving.api.popular import popular_products
from serving.api.problems import INCOMPLETE, Problem
from serving.api.provenance import Clock, incomplete, observe, provenance
from serving.api.store import Store
from serving.dashboard import figures
from serving.dashboard.backlog import Backlog
from serving.dashboard.spans import RangeDays, Span, before, span_of
from serving.log import LogEnds

PRODUCTS_SPAN = timedelta(hours=1)
PRODUCTS_SHOWN = 8
_PAST_KEPT_SECONDS, _SLOW_KEPT_SECONDS = 30.0, 3.0
TRAFFIC_HOURS = 24
_KPIS = ("active_sessions", "visitors", "sessions", "conversions", "conversion_rate", "avg_session_seconds")

Row = dict[str, Any]


@dataclass
class _Kept:
    """A value that is made anew when it is older than `seconds`."""

    seconds: float
    made_at: float = float("-inf")
    value: Any = None

    def get(self, make: Callable[[], Any]) -> Any:
        if time.monotonic() - self.made_at > self.seconds:
            self.value = make()
            self.made_at = time.monotonic()
        return self.value


@dataclass
class Overview:
    """The overview of one range and tenant (None: all); parts that move slowly are kept for a moment. One thread's."""

    store: Store
    clock: Clock
    days: RangeDays
    tenant: str | None
    operator: bool
    backlog: Backlog
    log: LogEnds
    _past: _Kept = field(default_factory=lambda: _Kept(_PAST_KEPT_SECONDS))
    _slow: _Kept = field(default_factory=lambda: _Kept(_SLOW_KEPT_SECONDS))

    def moved(self) -> Row:
        """A mark that changes whenever the overview can. Raises `Problem`."""
        with self.store.client() as client:
            return figures.moved(client)

    def read(self) -> Row:
        """The overview now. Raises `Problem`; that the past has a hole is told in the answer.

        Each figure is of one state of the store. The views themselves refuse to answer for a day with a hole.
        """
        now = self.clock()
        span = span_of(now, self.days)
        past = before(span, self.days)
        with self.store.client() as client:
            observed = observe(client, "events", Days(span.first_day, span.last_day))
            if observed.holes:
                raise incomplete("events", observed.holes)
            present = self._figures(client, span, TRAFFIC_HOURS)
        then = self._past.get(lambda: self._then(past))
        slow = self._slow.get(lambda: self._slowly(span))
        origin = provenance("events", observed, self.clock(), self.log.of("events"))
        return {
            "tenant": self.tenant,
            "days": self.days,
            "since": span.start,
            "until": now,
            "before_since": past.start,
            "before_until": past.end,
            "before_known": then is not None,
            "kpis": {name: {"now": present[name], "before": then and then[name]} for name in _KPIS},
            "revenue": _revenue(present["revenue"], then and then["revenue"], 24 if self.days == 1 else self.days),
            **{name: present[name] for name in ("traffic", "devices", "countries")},
            **slow,
            "health": {
                "speed_lag_seconds": origin.speed_lag_seconds,
                "late_groups": present["late_groups"],
                "tenants": [row["name"] for row in present["tenants"]] if self.operator else [],
                **slow["health"],
            },
            "provenance": origin.model_dump(mode="json"),
        }

    def _then(self, past: Span) -> Row | None:
        """The past, None where a layer cannot answer for it."""
        try:
            with self.store.client() as client:
                return self._figures(client, past, hours=1)
        except Problem as problem:
            if problem.kind is INCOMPLETE:
                return None
            raise

    def _figures(self, client: Client, span: Span, hours: int) -> Row:
        return {
            **figures.sessions(client, span, self.tenant),
            **figures.activity(client, span.end, self.tenant, hours),
            "revenue": figures.revenue(client, span, self.tenant, "hour" if self.days == 1 else "day"),
        }

    def _slowly(self, span: Span) -> Row:
        days = Days(span.first_day, span.last_day)
        funnel = FunnelQuestion(days, DEFAULT_STEPS, "session", timedelta(days=1), self.tenant)
        with self.store.client() as client:
            return {
                "funnel": funnel.read(client)["data"],
                "products": popular_products(client, span.end, PRODUCTS_SPAN, "views", self.tenant, PRODUCTS_SHOWN),
                "alerts": figures.alerts(client, span.end, self.tenant),
                "health": self._health(client),
            }

    def _health(self, client: Client) -> Row:
        """What is of all tenants is shown to keys of all tenants only."""
        return {
            "last_publication": figures.last_publication(client),
            "dead_letters": figures.dead_letters(client, self.clock()) if self.operator else None,
            "reconciliation": figures.reconciliation(client) if self.operator else None,
            "gate": figures.gate_results(client) if self.operator else None,
            "backlog": self.backlog.of(figures.applied(client)),
            "operator": self.operator,
        }


def _revenue(now: list[Row], then: list[Row] | None, slots: int) -> list[Row]:
    """Per currency, that of most revenue first: totals, and net by slot. Currencies are never added."""
    found = [_of_currency(code, now, then, slots) for code in {row["currency"] for row in [*now, *(then or [])]}]
    return sorted(found, key=lambda one: (-one["orders"], one["currency"]))


def _of_currency(code: str, now: list[Row], then: list[Row] | None, slots: int) -> Row:
    mine = [row for row in now if row["currency"] == code]
    theirs = None if then is None else [row for row in then if row["currency"] == code]
    return {
        "currency": code,
        "exponent": EXPONENTS[code],
        "orders": sum(row["orders"] for row in mine),
        "net_minor": sum(row["net_minor"] for row in mine),
        "before_minor": None if theirs is None else sum(row["net_minor"] for row in theirs),
        "slots": _slots(mine, slots),
        "before_slots": None if theirs is None else _slots(theirs, slots),
    }


def _slots(rows: list[Row], slots: int) -> list[int]:
    by_slot = {row["slot"]: row["net_minor"] for row in rows}
    return [by_slot.get(slot, 0) for slot in range(slots)]
