"""Shoppers who come back at their own pace, until some fade and leave: churn that can be foretold, and its truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

DAY_MS = 86_400_000
DEVICES = ("mobile", "desktop", "tablet")
FADE_DAYS = 28
"""So long before they leave, shoppers come ever less, look at less and put nothing in the cart."""
FAINTEST = 0.15
LOYAL_SHARE, LOYAL_HAZARD, DRIFTER_HAZARD = 0.6, 0.0005, 0.010
"""Most shoppers are loyal; the others leave on a given day with twenty times the probability."""
CART, BUY = 0.35, 0.4


@dataclass(frozen=True, slots=True)
class Regular:
    """A shopper. `pace`: visits a day while loyal; `leaves`: the first day without them, counted from the first day of
    the simulation; None if they stay."""

    user_id: str
    device: str
    pace: float
    leaves: int | None

    def energy(self, day: int) -> float:
        """1 while loyal, down to `FAINTEST` before leaving, 0 after."""
        if self.leaves is None:
            return 1.0
        left = self.leaves - day
        if left <= 0:
            return 0.0
        return min(1.0, FAINTEST + (1 - FAINTEST) * left / FADE_DAYS)


@dataclass(frozen=True, slots=True)
class Visit:
    """A signed-in session; `amount_minor` is what was bought in it, 0 for nothing."""

    day: int
    user_id: str
    device: str
    start_ms: int
    seconds: int
    page_views: int
    add_to_carts: int
    purchases: int
    amount_minor: int


def regulars(rng: Random, count: int, days: int) -> list[Regular]:
    """Draw shoppers who were all there before the first day."""
    return [_regular(rng, number, days) for number in range(count)]


def _regular(rng: Random, number: int, days: int) -> Regular:
    hazard = LOYAL_HAZARD if rng.random() < LOYAL_SHARE else DRIFTER_HAZARD
    lifetime = int(rng.expovariate(hazard))
    pace = min(1.5, max(0.15, rng.lognormvariate(-1.0, 0.5)))
    return Regular(f"r{number:05}", rng.choice(DEVICES), pace, lifetime if lifetime < days else None)


def visits(rng: Random, shoppers: Sequence[Regular], days: int, start_ms: int) -> Iterator[Visit]:
    """What they do, day by day; `start_ms` is the first day's midnight UTC."""
    for day in range(days):
        for shopper in shoppers:
            energy = shopper.energy(day)
            if rng.random() < shopper.pace * energy:
                yield _visit(rng, shopper, day, energy, start_ms + day * DAY_MS)


def _visit(rng: Random, shopper: Regular, day: int, energy: float, midnight_ms: int) -> Visit:
    page_views = 1 + int(rng.expovariate(1 / (8 * energy)))
    keen = energy == 1.0 and rng.random() < CART
    purchases = int(keen and rng.random() < BUY)
    return Visit(
        day,
        shopper.user_id,
        shopper.device,
        midnight_ms + rng.randrange(7 * 3_600_000, 22 * 3_600_000),
        20 + page_views * rng.randrange(10, 60),
        page_views,
        int(keen) + purchases,
        purchases,
        purchases * rng.randrange(1_000, 20_000),
    )
