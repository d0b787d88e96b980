"""The features of each model."""

from __future__ import annotations

from collections.abc import Mapping

from feature_store.model import Service

_USER_VIEWS: Mapping[str, tuple[str, ...]] = {"user_live": (), "user_recent": (), "cold_start": ()}
SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service(
            "recommendation_v1",
            "Ranks products for a user: entity rows have tenant_id, user_id, product_id and the request's data.",
            {
                "user_behaviour": (
                    "total_page_views_7d",
                    "total_purchases_30d",
                    "avg_order_value",
                    "preferred_category",
                    "device_type",
                    "last_activity_days_ago",
                    "segment",
                ),
                "user_interests": ("top_categories",),
                "user_product_affinity": (),
                "product_stats": (
                    "product_views_7d",
                    "product_purchases_7d",
                    "product_popularity",
                    "product_price",
                    "product_trend",
                    "product_category",
                ),
                "product_neighbours": ("bought_with",),
                "product_live": (),
                "purchase_context": (),
                **_USER_VIEWS,
            },
        ),
        Service(
            "churn_v1",
            "Tells who will not come back; trained by feature_store/examples/train_churn.py.",
            {
                "user_behaviour": (
                    "avg_session_duration",
                    "sessions_30d",
                    "total_page_views_7d",
                    "total_page_views_30d",
                    "add_to_carts_30d",
                    "total_purchases_30d",
                    "orders_30d",
                    "avg_order_value",
                    "last_activity_days_ago",
                    "last_order_days_ago",
                    "active_days",
                    "device_type",
                    "lifecycle",
                )
            },
        ),
        Service(
            "fraud_v1",
            "Judges a purchase: entity rows have tenant_id, user_id, session_id and the request's data.",
            {
                "user_behaviour": (
                    "avg_order_value",
                    "orders_30d",
                    "refunds_30d",
                    "device_type",
                    "last_purchase",
                    "usual_hour",
                ),
                "session_live": (),
                "purchase_context": (),
                **_USER_VIEWS,
            },
        ),
        Service(
            "user_v1",
            "All that is known of a user without a request's data; the API's /v1/users/{id}/features.",
            {"user_behaviour": (), "user_interests": (), **_USER_VIEWS},
        ),
    )
}
