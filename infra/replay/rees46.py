"""The REES46 store log as user events: one `UserEvent` for each row."""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from infra.messages import USER_EVENTS, Message
from infra.replay.rows import Reject, UnreadableRowError, read_rows, strictly, utc_ms

COLUMNS = (
    "event_time",
    "event_type",
    "product_id",
    "category_id",
    "category_code",
    "brand",
    "price",
    "user_id",
    "user_session",
)
KINDS = {"view": "page_view", "cart": "add_to_cart", "purchase": "purchase"}
PROPERTIES = {
    "product_id": "productId",
    "category_id": "categoryId",
    "category_code": "category",
    "brand": "brand",
    "price": "price",
}
CONTEXT = {"userAgent": "", "ip": "", "platform": "web", "referrer": None}


def rees46_messages(path: Path, tenant_id: str = "default", reject: Reject = strictly) -> Iterator[Message]:
    """Yield the rows in the order of the file, one in memory at a time. Raises UnreadableFileError."""
    for number, row in read_rows(path, COLUMNS, reject):
        try:
            value = value_of(row, tenant_id)
        except (ValueError, KeyError) as problem:
            reject(UnreadableRowError(path, number, f"cannot read {problem}"))
            continue
        yield Message(USER_EVENTS, value["sessionId"], value["sessionId"], 2, value, value["timestamp"])


def value_of(row: dict[str, str], tenant_id: str) -> dict[str, Any]:
    """Return the event of a row; what the log leaves empty is left out of the properties."""
    return {
        "eventId": event_id(row),
        "userId": row["user_id"],
        "sessionId": row["user_session"],
        "eventType": KINDS[row["event_type"]],
        "timestamp": utc_ms(row["event_time"].removesuffix(" UTC")),
        "properties": {name: row[column] for column, name in PROPERTIES.items() if row[column]},
        "context": CONTEXT,
        "tenantId": tenant_id,
        "receivedAt": None,
        "experiments": {},
    }


def event_id(row: dict[str, str]) -> str:
    """Derive the id from the whole row, so that a row that stands twice in the log is one event."""
    return blake2b("\x1f".join(row.values()).encode(), digest_size=16).hexdigest()
