"""What is computed at a request, by `feature_store.on_demand`."""

from __future__ import annotations

from feature_store.catalogue.fields import MILLISECONDS, MINOR, NEVER_DAYS, number, text
from feature_store.model import Feature, Kind, OnDemand

PURCHASE_CONTEXT = OnDemand(
    "purchase_context",
    "What a request means for the user who makes it.",
    {"user_behaviour": ("avg_order_value", "preferred_category", "device_type", "last_purchase")},
    (
        number("price_minor", "Price asked about, in the user's currency", MINOR),
        text("category", "Category asked about"),
        text("device", "Device of the request"),
        Feature("request_time", Kind.INT64, "When it is asked", 0, unit=MILLISECONDS),
    ),
    (
        number("price_vs_avg_order", "Price over the user's average order; 1 where there was no order", default=1.0),
        Feature("category_match", Kind.INT64, "1 if the category is the user's preferred one, else 0", 0),
        Feature("device_optimization", Kind.INT64, "1 if the device is the user's usual one, else 0", 0),
        number(
            "hours_since_last_purchase",
            "Hours since the last purchase; 2160 (90 days) without one",
            "hours",
            NEVER_DAYS * 24.0,
        ),
    ),
)

COLD_START = OnDemand(
    "cold_start",
    "Whether anything is known of a user.",
    {"user_behaviour": ("sessions_30d",), "user_recent": ("last_seen",)},
    (),
    (Feature("is_new_user", Kind.BOOL, "Neither batch nor stream knows the user: all else is defaults", True),),
)
