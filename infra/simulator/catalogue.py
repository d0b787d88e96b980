"""What a shop has: tenants, products and shoppers. All of it follows from a random generator that is handed in."""

from dataclasses import dataclass, replace
from random import Random

CATEGORIES = ("shoes", "jackets", "bags", "watches", "lamps", "kettles", "headphones", "cameras", "tents", "toys")
PLATFORMS = {
    "web": "Mozilla/5.0 (X11; Linux x86_64) Shop/1.0",
    "ios": "ShopApp/4.2 (iPhone; iOS 18.1)",
    "android": "ShopApp/4.2 (Pixel 9; Android 15)",
}
EXPONENTS = {"EUR": 2, "GBP": 2, "USD": 2, "JPY": 0}
PER_CENT = {"EUR": 1.0, "GBP": 0.86, "USD": 1.09, "JPY": 1.62}
IPV6_EVERY = 8


@dataclass(frozen=True)
class Tenant:
    """A customer of the pipeline: its id, the currencies of its shoppers, and its share of `visits_per_day`."""

    tenant_id: str
    currencies: tuple[str, ...]
    size: float


TENANTS = (
    Tenant("default", ("EUR", "EUR", "GBP"), 1.0),
    Tenant("north", ("USD",), 0.5),
    Tenant("sakura", ("JPY",), 0.25),
)


def tenants(suffix: str = "") -> tuple[Tenant, ...]:
    """`TENANTS` with something put after their names, to have new ones."""
    return tuple(replace(tenant, tenant_id=tenant.tenant_id + suffix) for tenant in TENANTS)


@dataclass(frozen=True, slots=True)
class Product:
    """A product; `cents` is its price in euro cents."""

    product_id: str
    category: str
    page: str
    cents: int

    def price_minor(self, currency: str) -> int:
        """Return the price in minor units of a currency."""
        return max(1, round(self.cents * PER_CENT[currency]))


@dataclass(frozen=True, slots=True)
class Shopper:
    """Someone with an account at a tenant's shop, on the device they always use."""

    tenant_id: str
    user_id: str
    currency: str
    platform: str
    user_agent: str
    ip: str


@dataclass(frozen=True)
class Catalogue:
    """The products, most popular first, and each tenant's shoppers, most frequent first."""

    products: tuple[Product, ...]
    shoppers: dict[str, tuple[Shopper, ...]]

    def product(self, rng: Random) -> Product:
        """Pick a product; a tenth of them get about half of the picks."""
        return self.products[int(len(self.products) * rng.random() ** 3)]

    def shopper(self, rng: Random, tenant_id: str) -> Shopper:
        """Pick a shopper; some come back often, most seldom."""
        shoppers = self.shoppers[tenant_id]
        return shoppers[int(len(shoppers) * rng.random() ** 2)]


def make_catalogue(rng: Random, tenants: tuple[Tenant, ...], products: int, shoppers: int) -> Catalogue:
    """Make the products and, for each tenant, its size's share of the shoppers. Tenants have user ids in common."""
    return Catalogue(
        products=tuple(make_product(rng, number) for number in range(products)),
        shoppers={
            tenant.tenant_id: tuple(
                make_shopper(rng, tenant, number) for number in range(max(1, round(shoppers * tenant.size)))
            )
            for tenant in tenants
        },
    )


def make_product(rng: Random, number: int) -> Product:
    """Make a product; prices run from about 2 to 500 euros, cheap ones more often."""
    product_id = f"p{number:05}"
    cents = round(200 * 2 ** rng.uniform(0, 8)) // 5 * 5 + rng.choice((0, 4))
    return Product(product_id, rng.choice(CATEGORIES), f"/product/{product_id}", cents)


def make_shopper(rng: Random, tenant: Tenant, number: int) -> Shopper:
    """Make a shopper with a device and an address."""
    platform = rng.choice(tuple(PLATFORMS))
    ip = make_ip(rng)
    return Shopper(tenant.tenant_id, f"u{number:06}", rng.choice(tenant.currencies), platform, PLATFORMS[platform], ip)


def make_ip(rng: Random) -> str:
    """Make an address of a private or documentation network, one in eight of them IPv6."""
    bits = rng.getrandbits(24)
    if bits % IPV6_EVERY == 0:
        return f"2001:db8:{bits >> 12:x}:{bits & 0xFFF:x}::1"
    return f"10.{bits >> 16}.{bits >> 8 & 255}.{bits & 255}"
