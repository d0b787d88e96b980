"""Avro values of user events and transactions, with the field names of their schemas."""

from random import Random
from typing import Any

from infra.messages import TRANSACTIONS, USER_EVENTS, Message
from infra.simulator.catalogue import EXPONENTS, Shopper
from infra.simulator.visits import Basket, Step

DEFAULT_TENANT = "default"


def new_id(rng: Random) -> str:
    """Draw an id of 16 hexadecimal digits."""
    return f"{rng.getrandbits(64):016x}"


def context_of(shopper: Shopper, referrer: str | None) -> dict[str, Any]:
    """Return the context of the events of a visit."""
    return {"userAgent": shopper.user_agent, "ip": shopper.ip, "platform": shopper.platform, "referrer": referrer}


def event_value(
    version: int, tenant_id: str, session_id: str, event_id: str, step: Step, time_ms: int, context: dict[str, Any]
) -> dict[str, Any]:
    """Return a `UserEvent`; only version 2 names the tenant."""
    value: dict[str, Any] = {
        "eventId": event_id,
        "userId": step.user_id,
        "sessionId": session_id,
        "eventType": step.kind,
        "timestamp": time_ms,
        "properties": step.properties,
        "context": context,
    }
    if version > 1:
        value["tenantId"] = tenant_id
        value["receivedAt"] = None
        value["experiments"] = {
            "checkout": "b" if session_id[0] < "8" else "a",
            "ranking": "newest" if session_id[1] < "8" else "popular",
        }
    return value


def event_message(version: int, value: dict[str, Any], send_time_ms: int) -> Message:
    """Return the message of a `UserEvent`."""
    return Message(USER_EVENTS, value["sessionId"], value["sessionId"], version, value, send_time_ms)


def amount_minor(basket: Basket, currency: str) -> int:
    """Return what a basket costs, in minor units."""
    return sum(product.price_minor(currency) * quantity for product, quantity in basket.lines)


def order_value(version: int, shopper: Shopper, basket: Basket, status: str, time_ms: int) -> dict[str, Any]:
    """Return a `Transaction`; only version 2 names the tenant."""
    unit = 10 ** EXPONENTS[shopper.currency]
    value: dict[str, Any] = {
        "transactionId": basket.transaction_id,
        "userId": shopper.user_id,
        "orderItems": [
            {
                "productId": product.product_id,
                "quantity": quantity,
                "price": product.price_minor(shopper.currency) / unit,
                "category": product.category,
            }
            for product, quantity in basket.lines
        ],
        "totalAmount": amount_minor(basket, shopper.currency) / unit,
        "currency": shopper.currency,
        "paymentMethod": "paypal" if shopper.platform == "web" else "card",
        "status": status,
        "timestamp": time_ms,
    }
    if version > 1:
        value["tenantId"] = shopper.tenant_id
    return value


def order_message(version: int, value: dict[str, Any], send_time_ms: int) -> Message:
    """Return the message of a `Transaction`."""
    return Message(TRANSACTIONS, value["transactionId"], value["userId"], version, value, send_time_ms)


def draw_version(rng: Random, tenant_id: str, version_1: float) -> int:
    """Draw a schema version; version 1 knows no tenant, so only the default tenant has it."""
    return 1 if tenant_id == DEFAULT_TENANT and rng.random() < version_1 else 2
