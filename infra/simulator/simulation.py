"""A shop over some closed days and today: its messages in the order they are sent, and the truth about them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from infra.messages import Message
from infra.simulator.catalogue import TENANTS, Shopper, Tenant, make_catalogue, make_ip
from infra.simulator.faults import DAY_MS, MINUTE_MS, Shares, send_time
from infra.simulator.outbox import Outbox
from infra.simulator.truth import IntendedSession, Truth
from infra.simulator.values import (
    amount_minor,
    context_of,
    draw_version,
    event_message,
    event_value,
    new_id,
    order_message,
    order_value,
)
from infra.simulator.visits import REFERRERS, Basket, Step, crawl, walk

GAP_MS = 30 * MINUTE_MS
SIGNED_IN = 0.6
ROAMING = 0.01
EVENING_HOUR, SMALL_HOURS = 20, 26
PENDING, CANCELLED, REFUNDED = 0.15, 0.03, 0.06
CRAWL_HOURS = 27


@dataclass(frozen=True)
class ShopSettings:
    """The size of a simulation; a tenant gets its share of `visits_per_day`, and one crawler a day if `crawlers`."""

    closed_days: int = 7
    visits_per_day: int = 1_000
    products: int = 400
    shoppers: int = 2_000
    tenants: tuple[Tenant, ...] = TENANTS
    shares: Shares = field(default_factory=Shares)
    crawlers: bool = True


class Simulation:
    """A run: `messages()` may be read once, and `truth` is complete when it is exhausted.

    `now_ms` ends the run: nothing happens or is sent after it. `rng` makes all choices: the same settings, `now_ms`
    and state of `rng` make the same messages.
    """

    def __init__(self, settings: ShopSettings, rng: Random, now_ms: int) -> None:
        self.truth = Truth()
        self._settings = settings
        self._rng = rng
        self._now_ms = now_ms
        self._outbox = Outbox(rng, settings.shares, now_ms, self.truth)
        self._catalogue = make_catalogue(rng, settings.tenants, settings.products, settings.shoppers)

    def messages(self) -> Iterator[Message]:
        """Yield all messages in send order, keeping in memory one day and what is still on its way."""
        today = self._now_ms - self._now_ms % DAY_MS
        for start_ms in range(today - self._settings.closed_days * DAY_MS, today + 1, DAY_MS):
            for tenant in self._settings.tenants:
                self._day(tenant, start_ms)
            yield from self._outbox.sent_before(start_ms + DAY_MS)

    def _day(self, tenant: Tenant, start_ms: int) -> None:
        rng = self._rng
        for _ in range(round(self._settings.visits_per_day * tenant.size * rng.uniform(0.85, 1.15))):
            hour = rng.triangular(0, SMALL_HOURS, EVENING_HOUR) % 24
            self._visits(self._catalogue.shopper(rng, tenant.tenant_id), start_ms + int(hour * 60 * MINUTE_MS))
        if self._settings.crawlers:
            crawler = Shopper(tenant.tenant_id, "", tenant.currencies[0], "web", "Crawler/2.1", make_ip(rng))
            steps = crawl(self._catalogue, rng, CRAWL_HOURS)
            self._session(crawler, new_id(rng), start_ms + rng.randrange(DAY_MS), steps)

    def _visits(self, shopper: Shopper, start_ms: int) -> None:
        """Make a visit under a new session id, and perhaps more under the same id, each a session of its own."""
        rng = self._rng
        session_id = new_id(rng)
        signed_in = rng.random() < SIGNED_IN
        end_ms = self._session(shopper, session_id, start_ms, walk(self._catalogue, rng, shopper, signed_in=signed_in))
        while rng.random() < self._settings.shares.resumed:
            start_ms = end_ms + GAP_MS + rng.randrange(2 * 60 * MINUTE_MS)
            end_ms = self._session(
                shopper, session_id, start_ms, walk(self._catalogue, rng, shopper, signed_in=signed_in)
            )

    def _session(self, shopper: Shopper, session_id: str, start_ms: int, steps: Iterator[Step]) -> int:
        """Send the events of one intended session until now, and return the time of the last (or the start)."""
        rng, shares = self._rng, self._settings.shares
        timed = list(until(self._now_ms, start_ms, steps))
        if not timed:
            return start_ms
        version = draw_version(rng, shopper.tenant_id, shares.version_1)
        first_context = context = self._context(shopper)
        inner_context = {**context, "referrer": None}
        for time_ms, step in timed:
            value = event_value(version, shopper.tenant_id, session_id, new_id(rng), step, time_ms, context)
            self._outbox.put(event_message(version, value, send_time(rng, shares, time_ms, self._now_ms)))
            self.truth.add_event(shopper.tenant_id, time_ms, step.kind)
            if step.basket:
                self._order(version, shopper, step.basket, time_ms)
            context = inner_context
        self.truth.add_session(intended(shopper.tenant_id, session_id, timed, first_context))
        return timed[-1][0]

    def _context(self, shopper: Shopper) -> dict[str, Any]:
        context = context_of(shopper, self._rng.choice(REFERRERS))
        if self._rng.random() < ROAMING:
            context["ip"] = make_ip(self._rng)
        return context

    def _order(self, version: int, shopper: Shopper, basket: Basket, time_ms: int) -> None:
        """Send the statuses that an order goes through until now."""
        rng, shares = self._rng, self._settings.shares
        amount = amount_minor(basket, shopper.currency)
        for status, at_ms in statuses(rng, time_ms):
            if at_ms <= self._now_ms:
                value = order_value(version, shopper, basket, status, at_ms)
                self._outbox.put(order_message(version, value, send_time(rng, shares, at_ms, self._now_ms)))
                self.truth.add_order(shopper, at_ms, status, amount)


def until(now_ms: int, start_ms: int, steps: Iterator[Step]) -> Iterator[tuple[int, Step]]:
    """Yield the steps that happen by now, each with its time."""
    time_ms = start_ms
    for step in steps:
        time_ms += step.pause_ms
        if time_ms > now_ms:
            return
        yield time_ms, step


def intended(
    tenant_id: str, session_id: str, timed: list[tuple[int, Step]], context: dict[str, Any]
) -> IntendedSession:
    """Return the session that these steps are meant to be; who once signed in stays so."""
    kinds = [step.kind for _, step in timed]
    return IntendedSession(
        tenant_id,
        session_id,
        user_id=timed[-1][1].user_id,
        start_ms=timed[0][0],
        end_ms=timed[-1][0],
        page_views=kinds.count("page_view"),
        add_to_carts=kinds.count("add_to_cart"),
        purchases=kinds.count("purchase"),
        context=context,
    )


def statuses(rng: Random, time_ms: int) -> Iterator[tuple[str, int]]:
    """Draw the statuses of an order bought at `time_ms`, each with its own time."""
    if rng.random() < PENDING:
        yield "pending", time_ms
        time_ms += rng.randrange(1_000, GAP_MS)
    if rng.random() < CANCELLED:
        yield "cancelled", time_ms
        return
    yield "completed", time_ms
    if rng.random() < REFUNDED:
        yield "refunded", time_ms + rng.randrange(2 * 60 * MINUTE_MS, 3 * DAY_MS)
