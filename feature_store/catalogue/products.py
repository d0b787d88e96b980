"""What is known of a product."""

from __future__ import annotations

from feature_store.catalogue.ages import LIVE, NIGHTLY, PRODUCT_WINDOW, WEEK
from feature_store.catalogue.entities import PRODUCT, TENANT
from feature_store.catalogue.fields import MINOR, count, number, text, texts
from feature_store.catalogue.history import NEIGHBOURS, best, grouped, published, pushed
from feature_store.model import Feature, Kind, Origin, View

_WINDOWS = (("1d", "1 day"), ("7d", "7 days"), ("30d", "30 days"))
PRODUCT_STATS = View(
    "product_stats",
    (TENANT, PRODUCT),
    Origin.BATCH,
    published("batch_product_features"),
    "How a product did, as of the end of a UTC day.",
    NIGHTLY,
    WEEK,
    (
        *(count(f"product_views_{days}", f"Page views, {span}", f"views_{days}") for days, span in _WINDOWS),
        *(count(f"product_carts_{days}", f"Times put in a cart, {span}", f"carts_{days}") for days, span in _WINDOWS),
        *(
            count(f"product_purchases_{days}", f"Purchase events, {span}", f"purchases_{days}")
            for days, span in _WINDOWS
        ),
        *(
            Feature(f"product_revenue_{days}", Kind.INT64, f"Amount sold, {span}", 0, f"revenue_minor_{days}", MINOR)
            for days, span in _WINDOWS
        ),
        number("product_conversion", "Purchase events per page view, 30 days", column="conversion_30d"),
        number("product_popularity", "That rate, drawn to the shop's where little was seen", column="popularity"),
        number("product_price", "Price of the last sale", MINOR, column="price_minor"),
        count("product_price_band", "1 cheapest to 5 dearest fifth of its category; 0 is unknown", "price_band"),
        number("product_trend", "log2 of daily views of 7 days over those of the 23 before", column="trend"),
        text("product_category", "Category", "category"),
        text("product_currency", "ISO 4217 code of the product's amounts", "currency"),
    ),
)

PRODUCT_NEIGHBOURS = View(
    "product_neighbours",
    (TENANT, PRODUCT),
    Origin.BATCH,
    grouped(
        "batch_product_pairs",
        PRODUCT,
        bought_with=best("order", "neighbour_id"),
        bought_with_scores=best("order", "score"),
        seen_with=best("session", "neighbour_id"),
    ),
    "Products that go with a product, best first.",
    NIGHTLY,
    WEEK,
    (
        texts("bought_with", f"Up to {NEIGHBOURS} products bought in one order with it"),
        Feature("bought_with_scores", Kind.FLOATS, "Lift of each of them, drawn to 1 where little was seen", ()),
        texts("seen_with", f"Up to {NEIGHBOURS} products seen in one session with it"),
    ),
)

PRODUCT_LIVE = View(
    "product_live",
    (TENANT, PRODUCT),
    Origin.STREAM,
    pushed("feature_live_products", PRODUCT),
    "How a product does now, by 5-minute windows of event time: the running one, and the last twelve.",
    LIVE,
    PRODUCT_WINDOW,
    (
        count("product_views_5m", "Page views in the running window", "views_5m"),
        count("product_views_60m", "Page views in the last 12 windows", "views_60m"),
        count("product_carts_60m", "Times put in a cart in the last 12 windows", "carts_60m"),
        count("product_purchases_60m", "Purchase events in the last 12 windows", "purchases_60m"),
    ),
)
