"""What the oracle reads: log records, and the events and order facts in them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

USER_EVENTS = "user-events"
TRANSACTIONS = "transactions"
DAY_MS = 86_400_000

# ISO 4217: currencies whose minor unit is not a hundredth.
WHOLE = [
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "UYI",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
]
THOUSANDTHS = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]
EXPONENTS = dict.fromkeys(WHOLE, 0) | dict.fromkeys(THOUSANDTHS, 3)


# First number of an address -> country, where a whole block belongs to one.
COUNTRIES = {"17": "US", "126": "JP"}


class Log(NamedTuple):
    """One partition of one incarnation of a topic."""

    topic: str
    epoch: int
    partition: int


class Position(NamedTuple):
    """Where a record lies."""

    log: Log
    offset: int


@dataclass(frozen=True)
class LogRecord:
    """One record; `value` is the decoded Avro record, or None with the `reason` why it could not be decoded."""

    topic: str
    epoch: int
    partition: int
    offset: int
    append_time_ms: int
    value: Mapping[str, Any] | None
    reason: str = ""

    @property
    def log(self) -> Log:
        return Log(self.topic, self.epoch, self.partition)

    @property
    def position(self) -> Position:
        return Position(self.log, self.offset)


@dataclass(frozen=True)
class Event:
    """A used `UserEvent`."""

    position: Position
    tenant_id: str
    session_id: str
    event_id: str
    user_id: str | None
    event_type: str
    time_ms: int
    product_id: str | None
    page: str | None
    platform: str
    device_class: str
    country: str | None
    experiments: tuple[tuple[str, str], ...]
    referrer: str | None

    @property
    def day(self) -> date:
        return utc_day(self.time_ms)

    @property
    def order(self) -> tuple[int, str]:
        return self.time_ms, self.event_id


@dataclass(frozen=True)
class Item:
    """A line of an order; `price_minor` is the price of one piece."""

    product_id: str
    quantity: int
    price_minor: int
    category: str


@dataclass(frozen=True)
class Order:
    """An order fact: one status change of a transaction."""

    position: Position
    tenant_id: str
    transaction_id: str
    user_id: str
    status: str
    time_ms: int
    currency: str
    amount_minor: int
    payment_method: str
    items: tuple[Item, ...]

    @property
    def day(self) -> date:
        return utc_day(self.time_ms)


def utc_day(time_ms: int) -> date:
    """Return the UTC day of a time in milliseconds."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).date()


def minor_units(amount: float, currency: str) -> int:
    """Round the shortest decimal that reads as the double, half-even at the currency's exponent."""
    if not math.isfinite(amount):
        raise ValueError(f"{amount} is not an amount of money")
    return int((Decimal(repr(amount)).scaleb(EXPONENTS.get(currency, 2))).quantize(Decimal(1), ROUND_HALF_EVEN))


def tenant_of(value: Mapping[str, Any]) -> str:
    """Return the tenant, `default` when the record names none (schema version 1)."""
    tenant = value.get("tenantId")
    return "default" if tenant is None else str(tenant)


def event_of(record: LogRecord) -> Event:
    """Read a decoded `UserEvent`."""
    value = record.value
    assert value is not None
    return Event(
        position=record.position,
        tenant_id=tenant_of(value),
        session_id=value["sessionId"],
        event_id=value["eventId"],
        user_id=value["userId"],
        event_type=value["eventType"],
        time_ms=value["timestamp"],
        product_id=value["properties"].get("productId"),
        page=value["properties"].get("page"),
        platform=value["context"]["platform"],
        device_class=device_class_of(value["context"]["userAgent"]),
        country=country_of(value["context"]["ip"]),
        experiments=tuple(value.get("experiments", {}).items()),
        referrer=value["context"]["referrer"],
    )


def device_class_of(user_agent: str) -> str:
    """Read the class of device from the few user agents that tests and the simulator use."""
    if "Crawler" in user_agent or "bot" in user_agent:
        return "bot"
    if "iPad" in user_agent:
        return "tablet"
    if "Android" in user_agent or "iPhone" in user_agent:
        return "mobile"
    return "desktop" if any(name in user_agent for name in ("Linux", "Windows", "Macintosh")) else "other"


def country_of(ip: str) -> str | None:
    """Read the country from the first numbers of the few public addresses that tests and the simulator use."""
    return COUNTRIES.get(ip.split(".")[0])


def order_of(record: LogRecord) -> Order:
    """Read a decoded `Transaction`."""
    value = record.value
    assert value is not None
    currency = value["currency"]
    return Order(
        position=record.position,
        tenant_id=tenant_of(value),
        transaction_id=value["transactionId"],
        user_id=value["userId"],
        status=value["status"],
        time_ms=value["timestamp"],
        currency=currency,
        amount_minor=minor_units(value["totalAmount"], currency),
        payment_method=value["paymentMethod"],
        items=tuple(
            Item(line["productId"], line["quantity"], minor_units(line["price"], currency), line["category"])
            for line in value["orderItems"]
        ),
    )
