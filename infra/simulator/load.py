"""A gentle load without end: visits that go on side by side, at a given rate."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from infra.messages import Message
from infra.simulator.catalogue import Shopper, make_catalogue
from infra.simulator.simulation import SIGNED_IN, ShopSettings
from infra.simulator.values import (
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


@dataclass
class Visit:
    """A visit under way."""

    shopper: Shopper
    session_id: str
    version: int
    context: dict[str, Any]
    steps: Iterator[Step]


def live_load(
    settings: ShopSettings,
    rng: Random,
    events_per_second: float,
    clock: Callable[[], int],
    sleep: Callable[[float], None],
) -> Iterator[Message]:
    """Yield events, and the orders they bring, as they become due; never ends.

    `clock` tells the time in milliseconds, and is each event's time; `sleep` waits for some seconds. A reader that is
    slower than the rate is not made to wait. So many visits go on at once that a visit's pauses are about 20 s. Of the
    settings those of the shop count, not its days, visits and faults.
    """
    catalogue = make_catalogue(rng, settings.tenants, settings.products, settings.shoppers)

    def arrive() -> Visit:
        tenant = rng.choices(settings.tenants, [tenant.size for tenant in settings.tenants])[0]
        shopper = catalogue.shopper(rng, tenant.tenant_id)
        steps = walk(catalogue, rng, shopper, signed_in=rng.random() < SIGNED_IN)
        version = draw_version(rng, tenant.tenant_id, settings.shares.version_1)
        return Visit(shopper, new_id(rng), version, context_of(shopper, rng.choice(REFERRERS)), steps)

    visits = [arrive() for _ in range(max(1, round(events_per_second * PAUSE_SECONDS)))]
    due_ms = float(clock())
    while True:
        place = rng.randrange(len(visits))
        step = next(visits[place].steps, None)
        if step is None:
            visits[place] = arrive()
            continue
        due_ms += 1_000 / events_per_second
        sleep(max(0.0, (due_ms - clock()) / 1_000))
        yield from messages_of(visits[place], step, clock(), rng)


def messages_of(visit: Visit, step: Step, time_ms: int, rng: Random) -> Iterator[Message]:
    """Yield the event of a step at a time, and the order it completes."""
    value = event_value(
        visit.version, visit.shopper.tenant_id, visit.session_id, new_id(rng), step, time_ms, visit.context
    )
    yield event_message(visit.version, value, time_ms)
    if step.basket:
        order = order_value(visit.version, visit.shopper, step.basket, "completed", time_ms)
        yield order_message(visit.version, order, time_ms)
