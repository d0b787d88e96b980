"""Unusual purchases: an order of many times the mean of what the user ordered before.

Orders are completed order facts of one user and currency. Before an order are those that the log holds before it and
that happened before it, not longer ago than `purchase_history`; so the answer for an order never changes.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from schemas.alerts import CANDIDATE_COLUMNS, AlertRules, Severity, candidates, evidence
from schemas.earlier import Rows, earlier
from schemas.frames import POSITION, POSITION_COLUMNS, TIMESTAMP, empty
from schemas.money import EXPONENTS

RULE = "large_purchase"
CRITICAL_FACTOR = 2.0
"""Beyond so many times the threshold an alert is critical."""

BUYER = ("tenant_id", "user_id", "currency", "log_epoch", "log_partition")
PURCHASE_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "user_id": pl.String(),
    "currency": pl.String(),
    **{name: kind for name, kind in POSITION_COLUMNS.items() if name != "append_time"},
    "transaction_id": pl.String(),
    "order_time": TIMESTAMP,
    "amount_minor": pl.Int64(),
}
"""What the rule reads of a completed order."""


def running(known: pl.DataFrame, new: pl.DataFrame, rules: AlertRules) -> pl.DataFrame:
    """The new orders (`PURCHASE_COLUMNS`) that have earlier ones, with their `count` and `mean` (minor units).

    `known` holds at least all orders of the new ones' users that the log holds before them.
    """
    both = pl.concat([known.select(*PURCHASE_COLUMNS), new.select(*PURCHASE_COLUMNS)])
    every = both.unique(POSITION, keep="any").with_row_index("number")
    rows = Rows(
        every.select(pl.col("number").first().over(BUYER)).to_series().to_numpy().astype(np.int64),
        every["log_offset"].to_numpy(),
        every["order_time"].dt.timestamp("ms").to_numpy(),
        every["amount_minor"].to_numpy(),
    )
    asked = every.join(new, on=POSITION, how="semi")["number"].to_numpy().astype(np.int64)
    history = rules.purchase_history // timedelta(milliseconds=1)
    count, total = earlier(rows, asked, rows.time[asked] - history)
    figures = every.drop("number")[pl.Series(asked)].with_columns(
        count=pl.Series(count), mean=pl.Series(total / np.maximum(count, 1))
    )
    return figures.filter(pl.col("count") > 0).sort("log_partition", "log_offset")


def fold(known: pl.DataFrame, new: pl.DataFrame, rules: AlertRules) -> pl.DataFrame:
    """`CANDIDATE_COLUMNS` of new orders."""
    seen = running(known, new, rules).with_columns(observed=pl.col("amount_minor") / pl.col("mean"))
    is_large = (pl.col("mean") > 0) & (pl.col("observed") > rules.purchase_factor)
    found = seen.filter(is_large & (pl.col("count") >= rules.purchase_orders))
    return _candidates(found, rules) if found.height else empty(CANDIDATE_COLUMNS)


def _candidates(found: pl.DataFrame, rules: AlertRules) -> pl.DataFrame:
    critical = pl.col("observed") > rules.purchase_factor * CRITICAL_FACTOR
    exponent = pl.col("currency").replace_strict(EXPONENTS, default=2, return_dtype=pl.Int64)
    unit = pl.lit(10.0).pow(exponent)
    return candidates(
        found.select(
            "tenant_id",
            "user_id",
            "currency",
            "amount_minor",
            "observed",
            "log_epoch",
            "log_partition",
            rule=pl.lit(RULE),
            severity=pl.when(critical).then(pl.lit(Severity.CRITICAL.value)).otherwise(pl.lit(Severity.WARNING.value)),
            entity="user_id",
            window_start="order_time",
            window_end="order_time",
            threshold=pl.lit(rules.purchase_factor),
            log_topic=pl.lit("transactions"),
            as_of="log_offset",
            message=pl.format(
                "An order of {} {} is {} times the mean of {} earlier ones.",
                pl.col("amount_minor") / unit,
                "currency",
                pl.col("observed").round(1),
                "count",
            ),
            evidence=evidence(
                transaction_id=pl.col("transaction_id"),
                earlier_orders=pl.col("count"),
                mean_minor=pl.col("mean").round(2),
            ),
        )
    )
