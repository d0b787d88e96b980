"""What is known of a user."""

from __future__ import annotations

from feature_store.catalogue.ages import DAY, LIVE, NIGHTLY, SESSION_GAP, WEEK
from feature_store.catalogue.entities import PRODUCT, TENANT, USER
from feature_store.catalogue.fields import MILLISECONDS, MINOR, NEVER_DAYS, count, number, text, texts
from feature_store.catalogue.history import INTERESTS, first, grouped, published, pushed
from feature_store.model import Feature, Kind, Origin, View

USER_BEHAVIOUR = View(
    "user_behaviour",
    (TENANT, USER),
    Origin.BATCH,
    published("batch_user_features"),
    "What a user did over the last days, as of the end of a UTC day.",
    NIGHTLY,
    WEEK,
    (
        number("avg_session_duration", "Mean length of sessions, 30 days", "seconds"),
        count("sessions_30d", "Sessions, 30 days"),
        count("total_page_views_7d", "Page views, 7 days"),
        count("total_page_views_30d", "Page views, 30 days"),
        count("add_to_carts_30d", "Products put in a cart, 30 days"),
        count("total_purchases_30d", "Purchase events, 30 days"),
        count("orders_30d", "Orders completed, 30 days"),
        count("refunds_30d", "Orders refunded, 30 days"),
        text("user_currency", "ISO 4217 code of the user's amounts", "currency"),
        number("avg_order_value", "Gross amount per completed order, 30 days", MINOR, column="avg_order_value_minor"),
        Feature("monetary", Kind.INT64, "Completed less refunded amount, 30 days", 0, "monetary_minor", MINOR),
        Feature("last_activity_days_ago", Kind.INT64, "Days since the last session or order", NEVER_DAYS, unit="days"),
        Feature("last_order_days_ago", Kind.INT64, "Days since the last completed order", NEVER_DAYS, unit="days"),
        Feature(
            "last_purchase",
            Kind.INT64,
            "Time of the last purchase; 0 is never in 90 days",
            0,
            "toUnixTimestamp64Milli(last_purchase)",
            MILLISECONDS,
        ),
        count("active_days", "Days with a session or an order, 90 days"),
        text("preferred_category", "Category of greatest affinity"),
        text("device_type", "Device of most sessions, 30 days"),
        Feature("usual_hour", Kind.INT64, "UTC hour in which most sessions begin; -1 is unknown", -1, unit="hour"),
        text("lifecycle", "new, active, at_risk, dormant or won_back"),
        number("churn_risk_score", "Probability of no active day in the next 30 days", default=0.5),
        text("segment", "Name of the RFM segment"),
        count("rfm_recency", "1..5, 5 ordered most recently; 0 without an order"),
        count("rfm_frequency", "1..5, 5 ordered most often; 0 without an order"),
        count("rfm_monetary", "1..5, 5 spent most; 0 without an order"),
    ),
)

USER_INTERESTS = View(
    "user_interests",
    (TENANT, USER),
    Origin.BATCH,
    grouped(
        "batch_user_affinity",
        USER,
        top_categories=first("category", "value"),
        top_category_shares=first("category", "share"),
        top_products=first("product", "value"),
    ),
    "What a user cares about most, best first.",
    NIGHTLY,
    WEEK,
    (
        texts("top_categories", f"Up to {INTERESTS} categories"),
        Feature("top_category_shares", Kind.FLOATS, "Share of each of them in all the user's interest", ()),
        texts("top_products", f"Up to {INTERESTS} products"),
    ),
)

USER_PRODUCT = View(
    "user_product_affinity",
    (TENANT, USER, PRODUCT),
    Origin.BATCH,
    "SELECT *, value AS product_id FROM (" + published("batch_user_affinity") + ") WHERE dimension = 'product'",
    "How much a user cares about one product.",
    NIGHTLY,
    WEEK,
    (
        number("affinity_score", "Points of 30 days, halved every 7 days", "points", column="score"),
        number("affinity_share", "Share in all the user's interest in products", column="share"),
        count("affinity_rank", "1 is the greatest; 0 is none", "rank"),
    ),
)

USER_LIVE = View(
    "user_live",
    (TENANT, USER),
    Origin.STREAM,
    pushed("feature_live_sessions", USER, f"WHERE {USER} != ''"),
    "The session that a user is in; not known 30 minutes after its last event.",
    LIVE,
    SESSION_GAP,
    (
        count("live_session_views", "Page views of the session", "page_views"),
        count("live_cart_items", "Products put in the cart in the session and not bought in it", "cart_items"),
        number("live_session_seconds", "Last less first event of the session", "seconds", column="seconds"),
        texts("products_viewed_now", "Products seen in the session, first seen first", "products"),
    ),
)

USER_RECENT = View(
    "user_recent",
    (TENANT, USER),
    Origin.STREAM,
    USER_LIVE.rows,
    "When and where a user was last.",
    LIVE,
    90 * DAY,
    (
        Feature(
            "last_seen", Kind.INT64, "Last event; 0 is never", 0, "toUnixTimestamp64Milli(event_time)", MILLISECONDS
        ),
        text("last_category", "Category of the last product seen, as the newest batch knows it", "category"),
    ),
)
