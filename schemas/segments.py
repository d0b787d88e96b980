"""Features of users at the end of a day, folded from the rows of `user_activity`: behaviour, RFM, lifecycle, churn.

The value of a day knows the rows of that day and of `LOOKBACK` days back from it, and nothing later.

**RFM.** Of the users with a completed order within 30 days: recency (days since the last), frequency (orders) and
monetary (net amount in the currency of most orders, compared within that currency) are scored from 1 to 5 by
`quintiles`; 5 is best. `SEGMENTS` names the combinations; who ordered nothing has scores of 0.

**Lifecycle.** By active days, those with a session or a completed order: see `_lifecycle`.

**Churn risk** is the probability that the user has no active day in the next 30 days, by the MBG/NBD model (Batislam,
Denizel, Filiztekin: Empirical validation and comparison of models for customer base analysis, 2007). With x repeated
active days, the last of them t days after the first, and T days since the first:

    alive = 1 / (1 + a / (b + x) * ((alpha + T) / (alpha + t)) ** (r + x))
    risk  = 1 - alive * (1 - ((alpha + T) / (alpha + T + 30)) ** (r + x))

Calibration: r, alpha, a, b were fitted by log loss on the customers with even numbers of UCI Online Retail, at 18 days
from March to November 2011, looking back 90 days. On the odd ones (17,860 customer days, of which 65.3 % churned): AUC
0.676, Brier score 0.198 against 0.226 of the base rate; by tenths of the score, foretold and true shares lie within
0.07 of each other, but for the lowest tenth, where the risk is overstated (0.33 foretold, 0.20 true). Shops whose
customers come at another pace should fit their own `ChurnModel`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from schemas import quintiles
from schemas.frames import TIMESTAMP
from schemas.lateness import start_of

WINDOW = 30
"""Days that most figures look back."""

LOOKBACK = 90
"""Days that lifecycle and churn look back; who was not active in them has no row."""

NEW_DAYS, RETURN_DAYS, ACTIVE_DAYS, GAP_DAYS = 7, 14, 7, 30

USER_BASE_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "user_id": pl.String(),
    "event_time": TIMESTAMP,
    "avg_session_duration": pl.Float64(),
    "sessions_30d": pl.Int64(),
    "total_page_views_7d": pl.Int64(),
    "total_page_views_30d": pl.Int64(),
    "add_to_carts_30d": pl.Int64(),
    "total_purchases_30d": pl.Int64(),
    "orders_30d": pl.Int64(),
    "refunds_30d": pl.Int64(),
    "currency": pl.String(),
    "avg_order_value_minor": pl.Float64(),
    "monetary_minor": pl.Int64(),
    "last_activity_days_ago": pl.Int64(),
    "last_order_days_ago": pl.Int64(),
    "last_active": TIMESTAMP,
    "last_purchase": TIMESTAMP,
    "active_days": pl.Int64(),
    "device_type": pl.String(),
    "usual_hour": pl.Int32(),
    "lifecycle": pl.String(),
    "churn_risk_score": pl.Float64(),
}
USER_FEATURE_COLUMNS: dict[str, pl.DataType] = {
    **USER_BASE_COLUMNS,
    "preferred_category": pl.String(),
    "rfm_recency": pl.Int64(),
    "rfm_frequency": pl.Int64(),
    "rfm_monetary": pl.Int64(),
    "segment": pl.String(),
}
"""The features of a user. Null: not known (no session, no order, no category in the window). `event_time` is the end of
the day, from which on the value holds."""

SEGMENTS = {
    "browser": "orders_30d = 0 AND sessions_30d > 0",
    "absent": "orders_30d = 0",
    "champion": "rfm_recency >= 4 AND rfm_frequency >= 4 AND rfm_monetary >= 4",
    "loyal": "rfm_recency >= 3 AND rfm_frequency >= 4",
    "big_spender": "rfm_recency >= 3 AND rfm_monetary = 5",
    "cannot_lose": "rfm_frequency >= 4 AND rfm_monetary >= 4",
    "slipping": "rfm_recency <= 2 AND (rfm_frequency >= 3 OR rfm_monetary >= 3)",
    "new_customer": "rfm_recency >= 4",
    "promising": "rfm_recency = 3",
    "hibernating": "rfm_recency <= 2",
}
"""Segment -> condition on the scores; the first that holds."""

SCORED = {"rfm_recency": "recency_rank", "rfm_frequency": "orders_30d", "rfm_monetary": "money_rank"}
"""Score -> the value that it ranks; the amounts are ranked within one currency."""
SCORE_KEYS = ("day", "tenant_id", "score_of", "currency")


@dataclass(frozen=True)
class ChurnModel:
    """The four parameters of the MBG/NBD model, and the days that are foretold."""

    r: float = 0.962
    alpha: float = 50.7
    a: float = 0.0597
    b: float = 8.81
    horizon: int = 30

    def risk(self, repeats: pl.Expr, last: pl.Expr, age: pl.Expr) -> pl.Expr:
        """The probability of no active day within the horizon; `last` and `age` are days after the first one."""
        power = repeats + self.r
        dropped = self.a / (self.b + repeats) * ((self.alpha + age) / (self.alpha + last)).pow(power)
        silent = ((self.alpha + age) / (self.alpha + age + self.horizon)).pow(power)
        return 1 - (1 - silent) / (1 + dropped)


def user_base(activity: pl.DataFrame, day: date, model: ChurnModel) -> pl.DataFrame:
    """`USER_BASE_COLUMNS` and `day`: a row per user with an active day in the `LOOKBACK` that ends with `day`."""
    rows = activity.filter(_within(day, LOOKBACK), pl.col("last_active").is_not_null() | (pl.col("refunds") > 0))
    active = _active_days(rows, day, model)
    recent = rows.filter(_within(day, WINDOW))
    found = active
    for part in (_sums(recent, day), _money(recent, day), _usual(recent, "device"), _usual(recent, "hour")):
        found = found.join(part, on=_USER, how="left")
    counts = [name for name in USER_BASE_COLUMNS if name.endswith(("_7d", "_30d"))]
    found = found.with_columns(
        pl.col(counts).fill_null(0),
        day=pl.lit(day),
        event_time=pl.lit(start_of(day + timedelta(days=1))),
        device_type=pl.col("device"),
        usual_hour=pl.col("hour"),
    )
    return found.select(pl.col(name).cast(kind) for name, kind in {**USER_BASE_COLUMNS, "day": pl.Date()}.items())


def ranked(base: pl.DataFrame) -> pl.DataFrame:
    """How many buyers have each value that is scored: `SCORE_KEYS`, `value`, `rows`."""
    parts = [
        quintiles.counted(values, SCORE_KEYS, SCORED[name])
        for name, values in ((name, _scored(base, name)) for name in SCORED)
    ]
    return pl.concat(parts)


def with_segments(base: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """`USER_FEATURE_COLUMNS` and `day`, from rows of `user_base` with `preferred_category` and the scored values."""
    found = base
    for name, value in SCORED.items():
        own = _scored(base, name).with_columns(value=pl.col(value))
        own = own.join(scores, on=[*SCORE_KEYS, "value"], how="left").select("day", *_USER, score=pl.col("score"))
        found = found.join(own.rename({"score": name}), on=["day", *_USER], how="left")
    found = found.with_columns(pl.col(list(SCORED)).fill_null(0))
    named = pl.coalesce(pl.when(pl.sql_expr(condition)).then(pl.lit(name)) for name, condition in SEGMENTS.items())
    columns = {**USER_FEATURE_COLUMNS, "day": pl.Date()}
    return found.with_columns(segment=named).select(pl.col(name).cast(kind) for name, kind in columns.items())


_USER = ("tenant_id", "user_id")


def _scored(base: pl.DataFrame, name: str) -> pl.DataFrame:
    """Buyers with the values that are ranked; only amounts keep their currency, for they compare within one."""
    currency = pl.col("currency") if name == "rfm_monetary" else pl.lit("")
    return base.filter(pl.col("orders_30d") > 0).with_columns(
        recency_rank=WINDOW - pl.col("last_order_days_ago"),
        money_rank=quintiles.coarse(pl.col("monetary_minor")),
        score_of=pl.lit(name),
        currency=currency,
    )


def _within(day: date, days: int) -> pl.Expr:
    return pl.col("day").is_between(day - timedelta(days=days - 1), day)


def _ago(column: str, day: date) -> pl.Expr:
    return (pl.lit(day) - pl.col(column)).dt.total_days()


def _active_days(rows: pl.DataFrame, day: date, model: ChurnModel) -> pl.DataFrame:
    """By active days: how many, how long ago, lifecycle and churn risk; and the latest times."""
    days = rows.filter(pl.col("last_active").is_not_null()).select(*_USER, "day").unique().sort(*_USER, "day")
    gap = (pl.col("day") - pl.col("day").shift().over(_USER)).dt.total_days()
    grouped = days.with_columns(back=gap >= GAP_DAYS).group_by(_USER)
    found = grouped.agg(
        active_days=pl.len().cast(pl.Int64),
        first=pl.col("day").min(),
        last=pl.col("day").max(),
        returned=pl.col("day").filter(pl.col("back")).max(),
    )
    times = rows.group_by(_USER).agg(pl.col("last_active").max(), pl.col("last_purchase").max())
    span, age = (pl.col("last") - pl.col("first")).dt.total_days(), _ago("first", day)
    return found.join(times, on=_USER, how="left").with_columns(
        last_activity_days_ago=_ago("last", day),
        lifecycle=_lifecycle(day),
        churn_risk_score=model.risk(pl.col("active_days") - 1, span, age),
    )


def _lifecycle(day: date) -> pl.Expr:
    """The stage of a user, the first of these that holds.

    new: first active less than 7 days ago. won_back: came back less than 14 days ago, after 30 days or more. active:
    last active less than 7 days ago. at_risk: less than 30. dormant: longer ago.
    """
    last = _ago("last", day)
    return (
        pl.when(_ago("first", day) < NEW_DAYS)
        .then(pl.lit("new"))
        .when(_ago("returned", day) < RETURN_DAYS)
        .then(pl.lit("won_back"))
        .when(last < ACTIVE_DAYS)
        .then(pl.lit("active"))
        .when(last < WINDOW)
        .then(pl.lit("at_risk"))
        .otherwise(pl.lit("dormant"))
    )


def _sums(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    timed, week = pl.col("timed_sessions").sum(), _within(day, NEW_DAYS)
    return rows.group_by(_USER).agg(
        avg_session_duration=pl.when(timed > 0).then(pl.col("session_ms").sum() / timed / 1000),
        sessions_30d=pl.col("sessions").sum(),
        total_page_views_7d=pl.col("page_views").filter(week).sum(),
        total_page_views_30d=pl.col("page_views").sum(),
        add_to_carts_30d=pl.col("add_to_carts").sum(),
        total_purchases_30d=pl.col("purchases").sum(),
    )


def _money(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    """Orders and amounts; amounts are in the currency of most orders, of several the first by name."""
    sums = ("orders", "gross_minor", "refunds", "refunded_minor")
    by_currency = (
        rows.filter(pl.col("source") == "orders")
        .group_by([*_USER, "currency"])
        .agg(*[pl.col(name).sum() for name in sums], last_order=pl.col("day").filter(pl.col("orders") > 0).max())
        .sort(*_USER, pl.col("orders"), "currency", descending=[False, False, True, False])
    )
    found = by_currency.group_by(_USER, maintain_order=True).agg(
        pl.col("currency", "gross_minor", "refunded_minor").first(),
        main_orders=pl.col("orders").first(),
        orders_30d=pl.col("orders").sum(),
        refunds_30d=pl.col("refunds").sum(),
        last_order=pl.col("last_order").max(),
    )
    per_order = pl.when(pl.col("main_orders") > 0).then(pl.col("gross_minor") / pl.col("main_orders"))
    return found.with_columns(
        avg_order_value_minor=per_order,
        monetary_minor=pl.col("gross_minor") - pl.col("refunded_minor"),
        last_order_days_ago=_ago("last_order", day),
    ).drop("gross_minor", "refunded_minor", "main_orders", "last_order")


def _usual(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """The value of most sessions; of several the least."""
    counts = rows.filter(pl.col("sessions") > 0).group_by([*_USER, column]).agg(pl.col("sessions").sum())
    ordered = counts.sort(*_USER, "sessions", column, descending=[False, False, True, False])
    return ordered.group_by(_USER, maintain_order=True).agg(pl.col(column).first())
