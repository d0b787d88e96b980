"""What happens around a shop: stock that sells and is filled up, profiles, service tickets, advertising and weather."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from infra.messages import Message
from infra.simulator.catalogue import Catalogue, Product, Shopper, Tenant, make_catalogue
from infra.simulator.faults import DAY_MS, MINUTE_MS
from infra.simulator.simulation import ShopSettings

VERSION = 1
KEYS = {
    "user-profiles": "userId",
    "inventory-updates": "productId",
    "service-tickets": "userId",
    "external-signals": "source",
}
"""Topic -> the field that is its key, and that it is partitioned by."""
HOUR_MS = 60 * MINUTE_MS
COUNTRIES = ("SE", "DE", "GB", "US", "JP")
CATEGORIES = ("delivery", "refund", "product", "payment")


@dataclass(frozen=True)
class Amounts:
    """How much of it there is in a day of one tenant of full size; signals come each hour."""

    profiles: int = 60
    stock_changes: int = 200
    tickets: int = 15


def surroundings(
    rng: Random, tenant: Tenant, catalogue: Catalogue, start_ms: int, now_ms: int, amounts: Amounts
) -> Iterator[Message]:
    """Yield what happens around a tenant's shop on the day from `start_ms`, in time's order, until `now_ms`."""
    found = [
        *_profiles(rng, tenant, catalogue, start_ms, amounts),
        *_stock(rng, tenant, catalogue, start_ms, amounts),
        *_tickets(rng, tenant, catalogue, start_ms, amounts),
        *_signals(rng, tenant, start_ms),
    ]
    yield from sorted((each for each in found if each.send_time_ms <= now_ms), key=lambda each: each.send_time_ms)


def surroundings_of_days(rng: Random, shop: ShopSettings, now_ms: int, amounts: Amounts) -> Iterator[Message]:
    """The same for all tenants and days of a shop, today until `now_ms` included."""
    catalogue = make_catalogue(rng, shop.tenants, shop.products, shop.shoppers)
    today = now_ms - now_ms % DAY_MS
    for start_ms in range(today - shop.closed_days * DAY_MS, today + 1, DAY_MS):
        for tenant in shop.tenants:
            yield from surroundings(rng, tenant, catalogue, start_ms, now_ms, amounts)


def _profiles(rng: Random, tenant: Tenant, catalogue: Catalogue, start_ms: int, amounts: Amounts) -> Iterator[Message]:
    for _ in range(round(amounts.profiles * tenant.size)):
        at_ms = start_ms + rng.randrange(DAY_MS)
        shopper = catalogue.shopper(rng, tenant.tenant_id)
        yield _message(
            "user-profiles",
            at_ms,
            {
                "userId": shopper.user_id,
                "tenantId": tenant.tenant_id,
                "emailHash": f"{rng.getrandbits(128):032x}",
                "country": rng.choice(COUNTRIES),
                "signupAt": at_ms - rng.randrange(400 * DAY_MS),
                "segments": rng.sample(("loyal", "sale", "new"), rng.randrange(3)),
                "attributes": {"language": rng.choice(("sv", "de", "en", "ja"))},
            },
        )


def _stock(rng: Random, tenant: Tenant, catalogue: Catalogue, start_ms: int, amounts: Amounts) -> Iterator[Message]:
    """Each change leaves less of a product, until it is filled up again."""
    left: dict[Product, int] = {}
    changes = round(amounts.stock_changes * tenant.size)
    for at_ms in sorted(start_ms + rng.randrange(DAY_MS) for _ in range(changes)):
        product = catalogue.product(rng)
        before = left.get(product, rng.randrange(5, 60))
        sold = rng.randrange(1, 6)
        left[product], reason = (before - sold, "sale") if before >= sold else (before + 50, "restock")
        yield _message(
            "inventory-updates",
            at_ms,
            {
                "productId": product.product_id,
                "tenantId": tenant.tenant_id,
                "warehouse": "main",
                "quantity": left[product],
                "reserved": rng.randrange(3),
                "reason": reason,
            },
        )


def _tickets(rng: Random, tenant: Tenant, catalogue: Catalogue, start_ms: int, amounts: Amounts) -> Iterator[Message]:
    """A ticket is opened, perhaps worked on, and solved within hours."""
    for _ in range(round(amounts.tickets * tenant.size)):
        opened_ms = at_ms = start_ms + rng.randrange(DAY_MS)
        about = _ticket(rng, catalogue.shopper(rng, tenant.tenant_id), catalogue.product(rng), opened_ms)
        for status in ("open", *rng.sample(("pending",), rng.randrange(2)), "solved"):
            yield _message("service-tickets", at_ms, {**about, "status": status})
            at_ms += rng.randrange(10 * MINUTE_MS, 5 * HOUR_MS)


def _ticket(rng: Random, shopper: Shopper, product: Product, opened_ms: int) -> dict[str, Any]:
    return {
        "ticketId": f"k{rng.getrandbits(64):016x}",
        "userId": shopper.user_id,
        "tenantId": shopper.tenant_id,
        "priority": rng.choice(("low", "normal", "high")),
        "category": rng.choice(CATEGORIES),
        "channel": rng.choice(("mail", "chat", "phone", "form")),
        "productId": product.product_id if rng.random() < 0.5 else None,  # noqa: PLR2004 - every second one
        "transactionId": None,
        "openedAt": opened_ms,
    }


def _signals(rng: Random, tenant: Tenant, start_ms: int) -> Iterator[Message]:
    for at_ms in range(start_ms, start_ms + DAY_MS, HOUR_MS):
        for country in COUNTRIES[:2]:
            yield _signal(tenant, at_ms, "weather", "temperature", round(rng.gauss(12, 6), 1), "celsius", country)
        yield _signal(tenant, at_ms, "ads", "impressions", float(rng.randrange(500, 5_000)), "count", None)
        yield _signal(tenant, at_ms, "ads", "spend", float(rng.randrange(1_000, 20_000)), tenant.currencies[0], None)


def _signal(
    tenant: Tenant, at_ms: int, source: str, metric: str, value: float, unit: str, region: str | None
) -> Message:
    record = {"source": source, "tenantId": tenant.tenant_id, "metric": metric, "value": value, "unit": unit}
    return _message("external-signals", at_ms, {**record, "region": region, "productId": None})


def _message(topic: str, at_ms: int, record: dict[str, Any]) -> Message:
    key = str(record[KEYS[topic]])
    return Message(topic, key, key, VERSION, {**record, "timestamp": at_ms}, at_ms)
