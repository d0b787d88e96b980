"""A load as it happens: visits that go on side by side, at a given rate, with what goes wrong on the way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from infra.messages import Message
from infra.simulator.catalogue import Shopper, make_catalogue
from infra.simulator.faults import DAY_MS, late_by
from infra.simulator.outbox import Outbox
from infra.simulator.simulation import GAP_MS, SIGNED_IN, ShopSettings, intended
from infra.simulator.truth import Truth
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
from infra.simulator.visits import REFERRERS, Step, walk

PAUSE_SECONDS = 20
LONGEST_MS = 365 * DAY_MS
"""No load lasts longer; what is late is received by then."""


@dataclass
class Visit:
    """A visit under way, and what was done in it so far."""

    shopper: Shopper
    session_id: str
    version: int
    context: dict[str, Any]
    steps: Iterator[Step]
    done: list[tuple[int, Step]] = field(default_factory=list)


class LiveLoad:
    """A run: read `due()` as long as it shall last, then `rest()`; `truth` is complete then.

    `clock` tells the time in milliseconds, and is each event's time; `sleep` waits for some seconds. So many visits go
    on at once that a visit's pauses are about 20 s. Of the settings those of the shop and of faults count, not its days
    and visits. Figures are added to `truth`.
    """

    def __init__(
        self,
        settings: ShopSettings,
        rng: Random,
        events_per_second: float,
        clock: Callable[[], int],
        sleep: Callable[[float], object],
        truth: Truth,
    ) -> None:
        self._settings, self._rng, self._rate = settings, rng, events_per_second
        self._clock, self._sleep, self._truth = clock, sleep, truth
        self._catalogue = make_catalogue(rng, settings.tenants, settings.products, settings.shoppers)
        self._outbox = Outbox(rng, settings.shares, clock() + LONGEST_MS, truth)
        self._visits = [self._arrive() for _ in range(max(1, round(events_per_second * PAUSE_SECONDS)))]

    def due(self) -> Iterator[list[Message]]:
        """Yield messages as they become due, without end. A reader that is slower is not made to wait."""
        due_ms = float(self._clock())
        while True:
            place = self._rng.randrange(len(self._visits))
            visit = self._visits[place]
            step = None if self._left(visit) else next(visit.steps, None)
            if step is None:
                self._end(visit)
                self._visits[place] = self._arrive()
                continue
            due_ms += 1_000 / self._rate
            self._sleep(max(0.0, (due_ms - self._clock()) / 1_000))
            self._do(visit, step, self._clock())
            yield list(self._outbox.sent_before(self._clock() + 1))

    def rest(self) -> Iterator[Message]:
        """End all visits, and yield what is still on its way."""
        for visit in self._visits:
            self._end(visit)
        yield from self._outbox.sent_before(self._clock() + 2 * LONGEST_MS)

    def _arrive(self) -> Visit:
        rng, settings = self._rng, self._settings
        tenant = rng.choices(settings.tenants, [tenant.size for tenant in settings.tenants])[0]
        shopper = self._catalogue.shopper(rng, tenant.tenant_id)
        steps = walk(self._catalogue, rng, shopper, signed_in=rng.random() < SIGNED_IN)
        version = draw_version(rng, tenant.tenant_id, settings.shares.version_1)
        return Visit(shopper, new_id(rng), version, context_of(shopper, rng.choice(REFERRERS)), steps)

    def _left(self, visit: Visit) -> bool:
        """Whether a visit was left alone for so long that it must not go on: it would be a session of its own."""
        return bool(visit.done) and self._clock() - visit.done[-1][0] > GAP_MS // 2

    def _end(self, visit: Visit) -> None:
        if visit.done:
            self._truth.add_session(intended(visit.shopper.tenant_id, visit.session_id, visit.done, visit.context))

    def _do(self, visit: Visit, step: Step, time_ms: int) -> None:
        """The event of a step, and the order it completes."""
        visit.done.append((time_ms, step))
        tenant = visit.shopper.tenant_id
        value = event_value(visit.version, tenant, visit.session_id, new_id(self._rng), step, time_ms, visit.context)
        self._outbox.put(event_message(visit.version, value, self._received(time_ms)))
        self._truth.add_event(tenant, time_ms, step.kind)
        if step.basket:
            order = order_value(visit.version, visit.shopper, step.basket, "completed", time_ms)
            self._outbox.put(order_message(visit.version, order, self._received(time_ms)))
            amount = amount_minor(step.basket, visit.shopper.currency)
            self._truth.add_order(visit.shopper, time_ms, "completed", amount)

    def _received(self, time_ms: int) -> int:
        return time_ms + (late_by(self._rng, self._settings.shares) or 0)
