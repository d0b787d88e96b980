"""What is known of a session."""

from __future__ import annotations

from feature_store.catalogue.ages import LIVE, SESSION_GAP
from feature_store.catalogue.entities import SESSION, TENANT
from feature_store.catalogue.fields import count, number, text
from feature_store.catalogue.history import pushed
from feature_store.model import Origin, View

SESSION_LIVE = View(
    "session_live",
    (TENANT, SESSION),
    Origin.STREAM,
    pushed("feature_live_sessions", SESSION),
    "A session that goes on, of anybody; not known 30 minutes after its last event.",
    LIVE,
    SESSION_GAP,
    (
        count("session_views", "Page views", "page_views"),
        count("session_cart_items", "Products put in the cart and not bought", "cart_items"),
        number("session_seconds", "Last less first event", "seconds", column="seconds"),
        text("session_category", "Category of the last product seen", "category"),
    ),
)
