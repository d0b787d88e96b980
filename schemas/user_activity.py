"""What a user did on one day: the rows from which the features of users are folded.

A day is reduced once; features over 30 days are folded from these few rows and never from events again. Rows of
sessions and of orders lie in the same frame, told apart by `source`, so that either may be computed again alone.
"""

from __future__ import annotations

import polars as pl

from schemas.frames import TIMESTAMP

SUMS = (
    "sessions",
    "timed_sessions",
    "session_ms",
    "events",
    "page_views",
    "clicks",
    "searches",
    "add_to_carts",
    "purchases",
    "orders",
    "gross_minor",
    "refunds",
    "refunded_minor",
)
KEYS = ("day", "tenant_id", "user_id")

USER_ACTIVITY_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "user_id": pl.String(),
    "source": pl.String(),
    "device": pl.String(),
    "hour": pl.Int32(),
    "currency": pl.String(),
    **dict.fromkeys(SUMS, pl.Int64()),
    "first_active": TIMESTAMP,
    "last_active": TIMESTAMP,
    "last_purchase": TIMESTAMP,
}
"""A row per user, day and: device and UTC hour of the start (`source` events), or currency (`source` orders).

Sums that a source does not know are 0. `timed_sessions` and `session_ms` leave out overlong sessions. Amounts are minor
units of `currency`. `last_purchase` is the end of the last session with a purchase, or the last completed order.
"""


def of_sessions(sessions: pl.DataFrame) -> pl.DataFrame:
    """The rows of the day's sessions (`SESSION_COLUMNS` and `day`); sessions without a user make none."""
    timed, counted = ~pl.col("overlong"), ("events", "page_views", "clicks", "searches", "add_to_carts", "purchases")
    keys = [
        *KEYS,
        pl.col("device_class").alias("device"),
        pl.col("session_start").dt.hour().cast(pl.Int32).alias("hour"),
    ]
    rows = (
        sessions.filter(pl.col("user_id").is_not_null())
        .group_by(keys)
        .agg(
            *[pl.col(name).sum() for name in counted],
            sessions=pl.len(),
            timed_sessions=timed.sum(),
            session_ms=pl.col("duration_ms").filter(timed).sum(),
            first_active=pl.col("session_start").min(),
            last_active=pl.col("session_end").max(),
            last_purchase=pl.col("session_end").filter(pl.col("converted")).max(),
        )
    )
    return _complete(rows, "events")


def of_orders(orders: pl.DataFrame) -> pl.DataFrame:
    """The rows of the day's order facts (`ORDER_COLUMNS` and `day`); pending and cancelled ones make none."""
    done, back = pl.col("status") == "completed", pl.col("status") == "refunded"
    rows = (
        orders.filter(done | back)
        .group_by([*KEYS, "currency"])
        .agg(
            orders=done.sum(),
            gross_minor=pl.col("amount_minor").filter(done).sum(),
            refunds=back.sum(),
            refunded_minor=pl.col("amount_minor").filter(back).sum(),
            first_active=pl.col("order_time").filter(done).min(),
            last_active=pl.col("order_time").filter(done).max(),
            last_purchase=pl.col("order_time").filter(done).max(),
        )
    )
    return _complete(rows, "orders")


def _complete(rows: pl.DataFrame, source: str) -> pl.DataFrame:
    """All columns: what a source does not know is 0, or null where it is no sum."""
    known = rows.with_columns(source=pl.lit(source))
    columns = {**USER_ACTIVITY_COLUMNS, "day": pl.Date()}
    absent = {name: pl.lit(0 if name in SUMS else None) for name in columns if name not in known.columns}
    return known.with_columns(**absent).select(pl.col(name).cast(kind) for name, kind in columns.items())
