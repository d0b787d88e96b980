"""What features are about."""

from __future__ import annotations

from collections.abc import Mapping

TENANT, USER, PRODUCT, SESSION = "tenant_id", "user_id", "product_id", "session_id"
ENTITIES: Mapping[str, tuple[str, str]] = {
    "tenant": (TENANT, "Customer that a record belongs to; part of every key"),
    "user": (USER, "Signed-in user"),
    "product": (PRODUCT, "Product"),
    "session": (SESSION, "Session id of the client, also of visitors who are not signed in"),
}
"""Entity -> join key, meaning."""
