"""What people do on a visit: a walk of steps with pauses, without a clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from infra.simulator.catalogue import Catalogue, Product, Shopper

MINUTE_MS = 60_000
BOUNCE = 0.3
GO_ON = 0.88
LONG_PAUSE = 0.01
LONGEST_PAUSE_MS = 28 * MINUTE_MS
BURST = 0.004
SPLURGE = 0.01
CHECKOUT = 0.25
LOOK, SEARCH, CLICK = 0.6, 0.7, 0.9
REFERRERS = ("https://search.example/", "https://news.example/deals", "https://social.example/", None, None)


@dataclass(frozen=True, slots=True)
class Basket:
    """What is bought at once, as (product, quantity) pairs."""

    transaction_id: str
    lines: tuple[tuple[Product, int], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a visit, `pause_ms` after the one before; the last purchase of a checkout carries the basket."""

    pause_ms: int
    kind: str
    properties: dict[str, str]
    user_id: str | None
    basket: Basket | None = None


def pause(rng: Random) -> int:
    """Draw a pause between two steps: half a minute on average, now and then long, always under half an hour."""
    if rng.random() < LONG_PAUSE:
        return rng.randrange(5 * MINUTE_MS, LONGEST_PAUSE_MS)
    return min(1_000 + int(rng.expovariate(1 / 25_000)), LONGEST_PAUSE_MS)


def walk(catalogue: Catalogue, rng: Random, shopper: Shopper, *, signed_in: bool) -> Iterator[Step]:
    """Walk through the shop. Who is not signed in does so at the checkout."""
    user = shopper.user_id if signed_in else None
    product = catalogue.product(rng)
    yield landing(rng, product, user)
    if rng.random() < BOUNCE:
        return
    wanted: dict[Product, int] = {}
    while rng.random() < GO_ON:
        draw = rng.random()
        if draw < LOOK:
            product = catalogue.product(rng)
            yield Step(pause(rng), "page_view", of_product(product), user)
        elif draw < SEARCH:
            yield Step(pause(rng), "search", {"page": "/search", "query": product.category}, user)
        elif draw < CLICK:
            yield from clicks(rng, product, user)
        else:
            wanted[product] = wanted.get(product, 0) + 1
            yield Step(pause(rng), "add_to_cart", {**of_product(product), "quantity": "1"}, user)
    if wanted and rng.random() < CHECKOUT:
        yield from checkout(rng, shopper, wanted)


def landing(rng: Random, product: Product, user: str | None) -> Step:
    """Arrive on the home page, or straight on a product."""
    properties = of_product(product) if rng.random() < LOOK else {"page": "/"}
    return Step(0, "page_view", properties, user)


def of_product(product: Product) -> dict[str, str]:
    """Return the properties of an event about a product."""
    return {"page": product.page, "productId": product.product_id, "category": product.category}


def clicks(rng: Random, product: Product, user: str | None) -> Iterator[Step]:
    """Click once, or seldom in a burst that no human hand is fast enough for."""
    yield Step(pause(rng), "click", {**of_product(product), "element": "gallery"}, user)
    if rng.random() < BURST:
        for _ in range(6):
            yield Step(rng.randrange(15, 80), "click", {**of_product(product), "element": "gallery"}, user)


def checkout(rng: Random, shopper: Shopper, wanted: dict[Product, int]) -> Iterator[Step]:
    """Buy what is wanted, seldom in bulk: a purchase event for each product, all at one millisecond."""
    times = 15 if rng.random() < SPLURGE else 1
    lines = tuple((product, count * times) for product, count in wanted.items())
    basket = Basket(f"t{rng.getrandbits(64):016x}", lines)
    yield Step(pause(rng), "page_view", {"page": "/checkout"}, shopper.user_id)
    wait = pause(rng)
    *others, last = basket.lines
    for product, _ in others:
        yield Step(wait, "purchase", {**of_product(product), "orderId": basket.transaction_id}, shopper.user_id)
        wait = 0
    yield Step(wait, "purchase", {**of_product(last[0]), "orderId": basket.transaction_id}, shopper.user_id, basket)


def crawl(catalogue: Catalogue, rng: Random, hours: int) -> Iterator[Step]:
    """Read product pages slowly and for ever, as crawlers do."""
    yield Step(0, "page_view", of_product(catalogue.product(rng)), None)
    for _ in range(hours * 4):
        yield Step(rng.randrange(12, 20) * MINUTE_MS, "page_view", of_product(catalogue.product(rng)), None)
