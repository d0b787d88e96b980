"""Short ways to write down a log by hand in tests."""

from datetime import UTC, datetime
from typing import Any

from tests.oracle.records import TRANSACTIONS, USER_EVENTS, LogRecord


def at(text: str) -> int:
    """Return a UTC time written as `2026-03-01 10:00` or `2026-03-01 10:00:00.5`, in milliseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def event(
    offset: int,
    time: str,
    kind: str = "page_view",
    *,
    session: str = "s",
    event_id: str | None = None,
    user: str | None = None,
    page: str | None = None,
    product: str | None = None,
    referrer: str | None = None,
    platform: str = "web",
    agent: str = "agent",
    ip: str = "192.0.2.7",
    experiments: dict[str, str] | None = None,
    tenant: str | None = None,
    append: str | None = None,
    partition: int = 0,
    epoch: int = 1,
) -> LogRecord:
    """Return a `user-events` record, received a second after it happened; without a tenant it is of version 1."""
    properties = {name: text for name, text in (("page", page), ("productId", product)) if text is not None}
    value: dict[str, Any] = {
        "eventId": f"e{offset}" if event_id is None else event_id,
        "userId": user,
        "sessionId": session,
        "eventType": kind,
        "timestamp": at(time),
        "properties": properties,
        "context": {"userAgent": agent, "ip": ip, "platform": platform, "referrer": referrer},
    }
    if tenant is not None:
        value |= {"tenantId": tenant, "receivedAt": None, "experiments": experiments or {}}
    return LogRecord(USER_EVENTS, epoch, partition, offset, at(append) if append else at(time) + 1000, value)


def order(
    offset: int,
    time: str,
    amount: float,
    status: str = "completed",
    *,
    transaction: str | None = None,
    user: str = "u",
    currency: str = "EUR",
    tenant: str | None = None,
    append: str | None = None,
    partition: int = 0,
) -> LogRecord:
    """Return a `transactions` record with one item, received a second after it happened."""
    value: dict[str, Any] = {
        "transactionId": f"t{offset}" if transaction is None else transaction,
        "userId": user,
        "orderItems": [{"productId": "p", "quantity": 1, "price": amount, "category": "c"}],
        "totalAmount": amount,
        "currency": currency,
        "paymentMethod": "card",
        "status": status,
        "timestamp": at(time),
    }
    if tenant is not None:
        value["tenantId"] = tenant
    return LogRecord(TRANSACTIONS, 1, partition, offset, at(append) if append else at(time) + 1000, value)


def broken(offset: int, append: str, reason: str = "truncated", partition: int = 0) -> LogRecord:
    """Return a `user-events` record that could not be decoded."""
    return LogRecord(USER_EVENTS, 1, partition, offset, at(append), None, reason)
