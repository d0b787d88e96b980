"""Counts by 5-minute window to the features of a product's last hour: state in, state out, no clock of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

WINDOW_MS = 300_000
WINDOWS = 12
_COUNTS = ("views", "addToCarts", "purchases")

Product = tuple[str, str]
"""Tenant and product."""


@dataclass(frozen=True, slots=True)
class LiveProduct:
    """A product's last hour as of one moment; times are milliseconds UTC."""

    tenant_id: str
    product_id: str
    event_time: int
    views_5m: int
    views_60m: int
    carts_60m: int
    purchases_60m: int

    @property
    def order(self) -> tuple[int, int]:
        """Its place among values of one product; what holds is known at once."""
        return self.event_time, self.event_time


@dataclass(frozen=True, slots=True)
class _Count:
    as_of: int
    counts: tuple[int, ...]


@dataclass
class _State:
    """Counts by window and source partition; what was last told, and its time."""

    windows: dict[int, dict[tuple[int, int], _Count]] = field(default_factory=dict)
    told_at: int = -1
    told: tuple[int, ...] = ()


class Popularity:
    """The last hour of all products that were dealt with in it."""

    def __init__(self) -> None:
        self._products: dict[Product, _State] = {}

    def __len__(self) -> int:
        return len(self._products)

    def apply(self, record: Mapping[str, Any]) -> Product:
        """Take a `ProductPopularity` in; of one window and partition the greatest `asOf` counts."""
        product = (record["tenantId"], record["productId"])
        window = self._products.setdefault(product, _State()).windows.setdefault(record["windowStart"], {})
        source = (record["logEpoch"], record["logPartition"])
        count = _Count(record["asOf"], tuple(record[name] for name in _COUNTS))
        if source not in window or count.as_of >= window[source].as_of:
            window[source] = count
        return product

    def value(self, product: Product, at_ms: int) -> LiveProduct:
        """The product's features at a moment, which moves on by a millisecond where it was told that one before."""
        state = self._products[product]
        running = at_ms - at_ms % WINDOW_MS
        sums = [_sum(state, start) for start in range(running - (WINDOWS - 1) * WINDOW_MS, running + 1, WINDOW_MS)]
        views, carts, purchases = (sum(column) for column in zip(*sums, strict=True))
        told = (sums[-1][0], views, carts, purchases)
        if told != state.told:
            state.told_at, state.told = max(at_ms, state.told_at + 1), told
        return LiveProduct(*product, state.told_at, *told)

    def advance(self, now_ms: int) -> Iterator[LiveProduct]:
        """A new window has begun: what changes by that alone. Forgets windows that no hour reaches any more."""
        oldest = now_ms - now_ms % WINDOW_MS - (WINDOWS - 1) * WINDOW_MS
        for product, state in list(self._products.items()):
            before = state.told
            state.windows = {start: window for start, window in state.windows.items() if start >= oldest}
            value = self.value(product, now_ms)
            if state.told != before:
                yield value
            if not state.windows:
                del self._products[product]


def _sum(state: _State, start: int) -> tuple[int, ...]:
    counts = [count.counts for count in state.windows.get(start, {}).values()]
    return tuple(map(sum, zip(*counts, strict=True))) if counts else (0,) * len(_COUNTS)


def live_values(product: LiveProduct) -> dict[str, Any]:
    """The features of view product_live."""
    return {
        "product_views_5m": product.views_5m,
        "product_views_60m": product.views_60m,
        "product_carts_60m": product.carts_60m,
        "product_purchases_60m": product.purchases_60m,
    }
