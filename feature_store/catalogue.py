"""Every feature: name, entity, type, source column, meaning, default, freshness. Views, services and FEATURES.md are
made from it; nothing else defines a feature. Amounts are minor units of the user's or product's `currency`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from feature_store.model import Feature, Kind, OnDemand, Origin, Service, Value, View

TENANT, USER, PRODUCT, SESSION = "tenant_id", "user_id", "product_id", "session_id"
ENTITIES: Mapping[str, tuple[str, str]] = {
    "tenant": (TENANT, "Customer that a record belongs to; part of every key"),
    "user": (USER, "Signed-in user"),
    "product": (PRODUCT, "Product"),
    "session": (SESSION, "Session id of the client, also of visitors who are not signed in"),
}
"""Entity -> join key, meaning."""

NEIGHBOURS, INTERESTS = 10, 5
"""How many neighbours of a product, and interests of a user, are served."""

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NIGHTLY, WEEK = timedelta(hours=30), 7 * DAY
LIVE = timedelta(seconds=2)
SESSION_GAP, PRODUCT_WINDOW = 30 * MINUTE, 65 * MINUTE

MINOR, MILLISECONDS = "minor units", "ms since 1970 UTC"


def _published(table: str) -> str:
    """Rows of every published load of a batch table."""
    return f"SELECT * FROM {table} WHERE (day, version) IN (SELECT day, version FROM batch_feature_loads)"


def _best(kind: str, field: str) -> str:
    """The first neighbours of one kind."""
    pairs = f"arraySort(groupArrayIf((rank, {field}), kind = '{kind}'))"
    return f"arrayMap(pair -> pair.2, arraySlice({pairs}, 1, {NEIGHBOURS}))"


def _first(dimension: str, field: str) -> str:
    """The first interests of one dimension."""
    pairs = f"arraySort(groupArrayIf((rank, {field}), dimension = '{dimension}'))"
    return f"arrayMap(pair -> pair.2, arraySlice({pairs}, 1, {INTERESTS}))"


def _grouped(table: str, key: str, **columns: str) -> str:
    """One row per key and load, with columns that are aggregates."""
    chosen = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    keys = f"tenant_id, {key}, event_time, created_at"
    return f"SELECT {keys}, {chosen} FROM ({_published(table)}) GROUP BY {keys}"


def _pushed(table: str, key: str, where: str = "") -> str:
    """Rows that were put online, each once: two of one moment would give training two rows for one."""
    once = f"LIMIT 1 BY tenant_id, {key}, event_time, appended_at"
    return f"SELECT *, appended_at AS created_at FROM {table} FINAL {where} {once}"


def _count(name: str, meaning: str, column: str = "") -> Feature:
    return Feature(name, Kind.INT64, meaning, 0, column)


def _text(name: str, meaning: str, column: str = "") -> Feature:
    return Feature(name, Kind.STRING, meaning, "", column)


def _number(name: str, meaning: str, unit: str = "", default: float = 0.0, column: str = "") -> Feature:
    return Feature(name, Kind.FLOAT64, meaning, default, column, unit)


def _texts(name: str, meaning: str, column: str = "") -> Feature:
    return Feature(name, Kind.STRINGS, meaning, (), column)


NEVER_DAYS = 90
"""What "days since" is where it never happened: the days that the batch looks back."""

USER_BEHAVIOUR = View(
    "user_behaviour",
    (TENANT, USER),
    Origin.BATCH,
    _published("batch_user_features"),
    "What a user did over the last days, as of the end of a UTC day.",
    NIGHTLY,
    WEEK,
    (
        _number("avg_session_duration", "Mean length of sessions, 30 days", "seconds"),
        _count("sessions_30d", "Sessions, 30 days"),
        _count("total_page_views_7d", "Page views, 7 days"),
        _count("total_page_views_30d", "Page views, 30 days"),
        _count("add_to_carts_30d", "Products put in a cart, 30 days"),
        _count("total_purchases_30d", "Purchase events, 30 days"),
        _count("orders_30d", "Orders completed, 30 days"),
        _count("refunds_30d", "Orders refunded, 30 days"),
        _text("user_currency", "ISO 4217 code of the user's amounts", "currency"),
        _number("avg_order_value", "Gross amount per completed order, 30 days", MINOR, column="avg_order_value_minor"),
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
        _count("active_days", "Days with a session or an order, 90 days"),
        _text("preferred_category", "Category of greatest affinity"),
        _text("device_type", "Device of most sessions, 30 days"),
        Feature("usual_hour", Kind.INT64, "UTC hour in which most sessions begin; -1 is unknown", -1, unit="hour"),
        _text("lifecycle", "new, active, at_risk, dormant or won_back"),
        _number("churn_risk_score", "Probability of no active day in the next 30 days", default=0.5),
        _text("segment", "Name of the RFM segment"),
        _count("rfm_recency", "1..5, 5 ordered most recently; 0 without an order"),
        _count("rfm_frequency", "1..5, 5 ordered most often; 0 without an order"),
        _count("rfm_monetary", "1..5, 5 spent most; 0 without an order"),
    ),
)

USER_INTERESTS = View(
    "user_interests",
    (TENANT, USER),
    Origin.BATCH,
    _grouped(
        "batch_user_affinity",
        USER,
        top_categories=_first("category", "value"),
        top_category_shares=_first("category", "share"),
        top_products=_first("product", "value"),
    ),
    "What a user cares about most, best first.",
    NIGHTLY,
    WEEK,
    (
        _texts("top_categories", f"Up to {INTERESTS} categories"),
        Feature("top_category_shares", Kind.FLOATS, "Share of each of them in all the user's interest", ()),
        _texts("top_products", f"Up to {INTERESTS} products"),
    ),
)

USER_PRODUCT = View(
    "user_product_affinity",
    (TENANT, USER, PRODUCT),
    Origin.BATCH,
    "SELECT *, value AS product_id FROM (" + _published("batch_user_affinity") + ") WHERE dimension = 'product'",
    "How much a user cares about one product.",
    NIGHTLY,
    WEEK,
    (
        _number("affinity_score", "Points of 30 days, halved every 7 days", "points", column="score"),
        _number("affinity_share", "Share in all the user's interest in products", column="share"),
        _count("affinity_rank", "1 is the greatest; 0 is none", "rank"),
    ),
)

_WINDOWS = (("1d", "1 day"), ("7d", "7 days"), ("30d", "30 days"))
PRODUCT_STATS = View(
    "product_stats",
    (TENANT, PRODUCT),
    Origin.BATCH,
    _published("batch_product_features"),
    "How a product did, as of the end of a UTC day.",
    NIGHTLY,
    WEEK,
    (
        *(_count(f"product_views_{days}", f"Page views, {span}", f"views_{days}") for days, span in _WINDOWS),
        *(_count(f"product_carts_{days}", f"Times put in a cart, {span}", f"carts_{days}") for days, span in _WINDOWS),
        *(
            _count(f"product_purchases_{days}", f"Purchase events, {span}", f"purchases_{days}")
            for days, span in _WINDOWS
        ),
        *(
            Feature(f"product_revenue_{days}", Kind.INT64, f"Amount sold, {span}", 0, f"revenue_minor_{days}", MINOR)
            for days, span in _WINDOWS
        ),
        _number("product_conversion", "Purchase events per page view, 30 days", column="conversion_30d"),
        _number("product_popularity", "That rate, drawn to the shop's where little was seen", column="popularity"),
        _number("product_price", "Price of the last sale", MINOR, column="price_minor"),
        _count("product_price_band", "1 cheapest to 5 dearest fifth of its category; 0 is unknown", "price_band"),
        _number("product_trend", "log2 of daily views of 7 days over those of the 23 before", column="trend"),
        _text("product_category", "Category", "category"),
        _text("product_currency", "ISO 4217 code of the product's amounts", "currency"),
    ),
)

PRODUCT_NEIGHBOURS = View(
    "product_neighbours",
    (TENANT, PRODUCT),
    Origin.BATCH,
    _grouped(
        "batch_product_pairs",
        PRODUCT,
        bought_with=_best("order", "neighbour_id"),
        bought_with_scores=_best("order", "score"),
        seen_with=_best("session", "neighbour_id"),
    ),
    "Products that go with a product, best first.",
    NIGHTLY,
    WEEK,
    (
        _texts("bought_with", f"Up to {NEIGHBOURS} products bought in one order with it"),
        Feature("bought_with_scores", Kind.FLOATS, "Lift of each of them, drawn to 1 where little was seen", ()),
        _texts("seen_with", f"Up to {NEIGHBOURS} products seen in one session with it"),
    ),
)

USER_LIVE = View(
    "user_live",
    (TENANT, USER),
    Origin.STREAM,
    _pushed("feature_live_sessions", USER, f"WHERE {USER} != ''"),
    "The session that a user is in; not known 30 minutes after its last event.",
    LIVE,
    SESSION_GAP,
    (
        _count("live_session_views", "Page views of the session", "page_views"),
        _count("live_cart_items", "Products put in the cart in the session and not bought in it", "cart_items"),
        _number("live_session_seconds", "Last less first event of the session", "seconds", column="seconds"),
        _texts("products_viewed_now", "Products seen in the session, first seen first", "products"),
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
        _text("last_category", "Category of the last product seen, as the newest batch knows it", "category"),
    ),
)

SESSION_LIVE = View(
    "session_live",
    (TENANT, SESSION),
    Origin.STREAM,
    _pushed("feature_live_sessions", SESSION),
    "A session that goes on, of anybody; not known 30 minutes after its last event.",
    LIVE,
    SESSION_GAP,
    (
        _count("session_views", "Page views", "page_views"),
        _count("session_cart_items", "Products put in the cart and not bought", "cart_items"),
        _number("session_seconds", "Last less first event", "seconds", column="seconds"),
        _text("session_category", "Category of the last product seen", "category"),
    ),
)

PRODUCT_LIVE = View(
    "product_live",
    (TENANT, PRODUCT),
    Origin.STREAM,
    _pushed("feature_live_products", PRODUCT),
    "How a product does now, by 5-minute windows of event time: the running one, and the last twelve.",
    LIVE,
    PRODUCT_WINDOW,
    (
        _count("product_views_5m", "Page views in the running window", "views_5m"),
        _count("product_views_60m", "Page views in the last 12 windows", "views_60m"),
        _count("product_carts_60m", "Times put in a cart in the last 12 windows", "carts_60m"),
        _count("product_purchases_60m", "Purchase events in the last 12 windows", "purchases_60m"),
    ),
)

VIEWS: Mapping[str, View] = {
    view.name: view
    for view in (
        USER_BEHAVIOUR,
        USER_INTERESTS,
        USER_PRODUCT,
        PRODUCT_STATS,
        PRODUCT_NEIGHBOURS,
        USER_LIVE,
        USER_RECENT,
        SESSION_LIVE,
        PRODUCT_LIVE,
    )
}

PURCHASE_CONTEXT = OnDemand(
    "purchase_context",
    "What a request means for the user who makes it.",
    {"user_behaviour": ("avg_order_value", "preferred_category", "device_type", "last_purchase")},
    (
        _number("price_minor", "Price asked about, in the user's currency", MINOR),
        _text("category", "Category asked about"),
        _text("device", "Device of the request"),
        Feature("request_time", Kind.INT64, "When it is asked", 0, unit=MILLISECONDS),
    ),
    (
        _number("price_vs_avg_order", "Price over the user's average order; 1 where there was no order", default=1.0),
        Feature("category_match", Kind.INT64, "1 if the category is the user's preferred one, else 0", 0),
        Feature("device_optimization", Kind.INT64, "1 if the device is the user's usual one, else 0", 0),
        _number(
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

ON_DEMAND: Mapping[str, OnDemand] = {one.name: one for one in (PURCHASE_CONTEXT, COLD_START)}

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


def defaults(service: str) -> dict[str, Value]:
    """The default of each feature of a service, in the order of the service. Raises `KeyError` for an unknown one."""
    found: dict[str, Value] = {}
    for name, chosen in SERVICES[service].takes.items():
        source: View | OnDemand = VIEWS[name] if name in VIEWS else ON_DEMAND[name]
        found |= {f.name: f.default for f in source.features if not chosen or f.name in chosen}
    return found


def keys(service: str) -> tuple[str, ...]:
    """The join keys that a service's entity rows have."""
    found = [VIEWS[name].keys for name in SERVICES[service].takes if name in VIEWS]
    return tuple(dict.fromkeys(key for each in found for key in each))
