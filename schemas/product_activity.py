"""What happened to a product on a day, and the features that 30 such days make of it.

**Popularity prior**: the purchase rate of a product drawn to that of its shop, so that three views and one purchase do
not beat a thousand views: (purchases + K * rate of the tenant) / (views + K) over 30 days, K = `PRIOR_VIEWS`.
**Trend**: log2 of the daily views of the last 7 days over those of the 23 days before, one added to both; 0 is steady.
**Price band**: 1 (cheapest fifth) to 5 by `quintiles`, among the products of one tenant, category and currency.
**New**: the first day with a view or a sale in the window is less than 7 days ago, and the shop was there before.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from schemas import quintiles
from schemas.affinity import category_of_properties, order_lines
from schemas.frames import TIMESTAMP
from schemas.lateness import start_of
from schemas.products import COUNTERS, product_events

WINDOW = 30
SPANS = (1, 7, 30)
NEW_DAYS = 7
PRIOR_VIEWS = 50

PRODUCT_ACTIVITY_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "product_id": pl.String(),
    "source": pl.String(),
    "category": pl.String(),
    "currency": pl.String(),
    **dict.fromkeys(COUNTERS, pl.Int64()),
    "units": pl.Int64(),
    "revenue_minor": pl.Int64(),
    "price_minor": pl.Int64(),
    "lowest_minor": pl.Int64(),
    "highest_minor": pl.Int64(),
}
"""A row per product and day (`source` events: counters) or product, day and currency (`source` orders: what completed
orders sold; `price_minor` is the price of the last of them)."""

_SPANNED = {"views": "views", "carts": "add_to_carts", "purchases": "purchases", "revenue_minor": "revenue_minor"}
PRODUCT_FEATURE_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "product_id": pl.String(),
    "event_time": TIMESTAMP,
    "category": pl.String(),
    "currency": pl.String(),
    **{f"{name}_{span}d": pl.Int64() for name in _SPANNED for span in SPANS},
    "units_30d": pl.Int64(),
    "conversion_30d": pl.Float64(),
    "popularity": pl.Float64(),
    "price_minor": pl.Int64(),
    "lowest_price_minor": pl.Int64(),
    "highest_price_minor": pl.Int64(),
    "price_band": pl.Int64(),
    "trend": pl.Float64(),
    "is_new": pl.Boolean(),
    "first_seen_days_ago": pl.Int64(),
}
"""The features of a product. Null: not known (no view, no sale). Amounts are minor units of `currency`, that of most
units sold; sales in others are left out of amounts."""

BAND_KEYS = ("day", "tenant_id", "category", "currency")


def of_events(events: pl.DataFrame) -> pl.DataFrame:
    """The rows of the day's used events (`EVENT_COLUMNS` and `day`)."""
    kind = pl.col("event_type")
    named = product_events(events).filter(pl.col("product_id") != "").with_columns(category=category_of_properties())
    counters = {name: (kind == of).sum() for name, of in COUNTERS.items()}
    rows = named.group_by("day", "tenant_id", "product_id").agg(pl.col("category").drop_nulls().max(), **counters)
    return _complete(rows.with_columns(source=pl.lit("events")))


def of_orders(orders: pl.DataFrame) -> pl.DataFrame:
    """The rows of the day's order facts (`ORDER_COLUMNS` and `day`)."""
    price, order = pl.col("price_minor"), ["order_time", "transaction_id", "log_offset", "price_minor"]
    rows = (
        order_lines(orders)
        .group_by("day", "tenant_id", "product_id", "currency")
        .agg(
            pl.col("category").drop_nulls().max(),
            units=pl.col("quantity").cast(pl.Int64).sum(),
            revenue_minor=(price * pl.col("quantity")).sum(),
            price_minor=price.sort_by(order).last(),
            lowest_minor=price.min(),
            highest_minor=price.max(),
        )
    )
    return _complete(rows.with_columns(source=pl.lit("orders")))


def shop_rates(activity: pl.DataFrame) -> pl.DataFrame:
    """`tenant_id`, `day`, `views` and `purchases` of whole shops, from which `product_features` draws its priors."""
    return activity.group_by("tenant_id", "day").agg(pl.col("views", "purchases").sum())


def product_features(activity: pl.DataFrame, rates: pl.DataFrame, day: date) -> pl.DataFrame:
    """`PRODUCT_FEATURE_COLUMNS` and `day`, but without `price_band`, which is null; all rows of a product together."""
    recent = activity.filter(_within(day, WINDOW))
    found = (
        _counts(recent, day).join(_sales(recent, day), on=_PRODUCT, how="left").join(_shop(rates, day), on="tenant_id")
    )
    views, purchases = pl.col("views_30d"), pl.col("purchases_30d")
    week, before = pl.col("views_7d") / NEW_DAYS, (views - pl.col("views_7d")) / (WINDOW - NEW_DAYS)
    age = (pl.lit(day) - pl.col("first_day")).dt.total_days()
    found = found.with_columns(pl.col(f"revenue_minor_{span}d").fill_null(0) for span in SPANS).with_columns(
        pl.col("units_30d").fill_null(0),
        day=pl.lit(day),
        event_time=pl.lit(start_of(day + timedelta(days=1))),
        conversion_30d=pl.when(views > 0).then(purchases / views),
        popularity=(purchases + PRIOR_VIEWS * pl.col("rate")) / (views + PRIOR_VIEWS),
        trend=((week + 1) / (before + 1)).log(2),
        first_seen_days_ago=age,
        is_new=(age < NEW_DAYS) & (pl.col("shop_first_day") < pl.col("first_day")),
        price_band=None,
    )
    return found.select(pl.col(name).cast(kind) for name, kind in {**PRODUCT_FEATURE_COLUMNS, "day": pl.Date()}.items())


def priced(features: pl.DataFrame) -> pl.DataFrame:
    """How many products have each price, to three digits: `BAND_KEYS`, `value`, `rows`."""
    return quintiles.counted(_comparable(features), BAND_KEYS, "value")


def with_bands(features: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """The features with their price bands."""
    found = _comparable(features).join(scores, on=[*BAND_KEYS, "value"], how="left")
    bands = found.select("day", *_PRODUCT, price_band=pl.col("score"))
    joined = features.drop("price_band").join(bands, on=["day", *_PRODUCT], how="left")
    return joined.select([*PRODUCT_FEATURE_COLUMNS, "day"])


_PRODUCT = ["tenant_id", "product_id"]


def _within(day: date, days: int) -> pl.Expr:
    return pl.col("day").is_between(day - timedelta(days=days - 1), day)


def _comparable(features: pl.DataFrame) -> pl.DataFrame:
    known = features.filter(pl.col("price_minor").is_not_null())
    return known.with_columns(pl.col("category").fill_null(""), value=quintiles.coarse(pl.col("price_minor")))


def _counts(recent: pl.DataFrame, day: date) -> pl.DataFrame:
    counters = {name: column for name, column in _SPANNED.items() if name != "revenue_minor"}
    spans = {
        f"{name}_{span}d": pl.col(column).filter(_within(day, span)).sum()
        for name, column in counters.items()
        for span in SPANS
    }
    ordered = pl.col("category").sort_by("day", "source").drop_nulls().last()
    return recent.group_by(_PRODUCT).agg(category=ordered, first_day=pl.col("day").min(), **spans)


def _sales(recent: pl.DataFrame, day: date) -> pl.DataFrame:
    """What was sold in the currency of most units; of several the first by name."""
    revenue = {f"revenue_minor_{span}d": pl.col("revenue_minor").filter(_within(day, span)).sum() for span in SPANS}
    by_currency = (
        recent.filter(pl.col("source") == "orders")
        .group_by([*_PRODUCT, "currency"])
        .agg(
            **revenue,
            units_30d=pl.col("units").sum(),
            price_minor=pl.col("price_minor").sort_by("day").last(),
            lowest_price_minor=pl.col("lowest_minor").min(),
            highest_price_minor=pl.col("highest_minor").max(),
        )
        .sort(*_PRODUCT, "units_30d", "currency", descending=[False, False, True, False])
    )
    return by_currency.group_by(_PRODUCT, maintain_order=True).agg(pl.all().first())


def _shop(rates: pl.DataFrame, day: date) -> pl.DataFrame:
    recent = rates.filter(_within(day, WINDOW)).group_by("tenant_id")
    sums = recent.agg(pl.col("views", "purchases").sum(), shop_first_day=pl.col("day").min())
    rate = pl.when(pl.col("views") > 0).then(pl.col("purchases") / pl.col("views")).otherwise(0.0)
    return sums.select("tenant_id", "shop_first_day", rate=rate)


def _complete(rows: pl.DataFrame) -> pl.DataFrame:
    columns = {**PRODUCT_ACTIVITY_COLUMNS, "day": pl.Date()}
    sums = (*COUNTERS, "units", "revenue_minor")
    absent = {name: pl.lit(0 if name in sums else None) for name in columns if name not in rows.columns}
    return rows.with_columns(**absent).select(pl.col(name).cast(kind) for name, kind in columns.items())
