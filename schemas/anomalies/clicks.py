"""Rapid clicks: a row of clicks of one session id that no hand makes.

Clicks are taken in the order of the log. Two that follow each other are one row when their event times lie less than
`click_gap` apart and they reached the log within `click_pause`. The click that makes a row `click_floor` long is a
candidate. What must be known of earlier clicks is so bounded by the log's own time: `lookback`.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from schemas.alerts import CANDIDATE_COLUMNS, AlertRules, Severity, candidates, evidence
from schemas.frames import GROUP, POSITION_COLUMNS, TIMESTAMP

RULE = "rapid_clicks"

CLICK_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "session_id": pl.String(),
    **POSITION_COLUMNS,
    "event_time": TIMESTAMP,
    "user_id": pl.String(),
}
"""What the rule reads of a click."""

TAIL_COLUMNS = CLICK_COLUMNS | {"length": pl.Int64(), "first_time": TIMESTAMP}
"""The last click of a group, how many clicks its row has, and the time of the first of them."""


def lookback(rules: AlertRules) -> timedelta:
    """Clicks that reached the log longer ago than this say nothing about later ones."""
    return rules.click_pause * (rules.click_floor + 1)


def fold(tail: pl.DataFrame, clicks: pl.DataFrame, rules: AlertRules) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(`CANDIDATE_COLUMNS`, the tail after them) of new clicks (`CLICK_COLUMNS`) after a tail (`TAIL_COLUMNS`)."""
    rows = _rows(tail, clicks, rules)
    found = rows.filter(pl.col("new") & (pl.col("length") == rules.click_floor))
    last = rows.group_by(GROUP, maintain_order=True).last()
    newest = pl.col("append_time").max().over("log_epoch", "log_partition")
    kept = last.filter(pl.col("append_time") >= newest - rules.click_pause)
    return _candidates(found, rules), kept.select(*TAIL_COLUMNS)


def _rows(tail: pl.DataFrame, clicks: pl.DataFrame, rules: AlertRules) -> pl.DataFrame:
    """All clicks in the order of each group's log, with the length of the row up to each."""
    new = clicks.select(*CLICK_COLUMNS).with_columns(length=pl.lit(1, pl.Int64), first_time="event_time", new=True)
    rows = pl.concat([tail.select(*TAIL_COLUMNS).with_columns(new=False), new]).sort([*GROUP, "log_offset"])
    same_group = pl.all_horizontal([pl.col(key) == pl.col(key).shift() for key in GROUP])
    near = (pl.col("event_time") - pl.col("event_time").shift()).abs() < rules.click_gap
    prompt = pl.col("append_time") - pl.col("append_time").shift() <= rules.click_pause
    rows = rows.with_columns(row=(~(same_group & near & prompt).fill_null(value=False)).cum_sum())
    return rows.with_columns(
        length=pl.col("length").first().over("row") + pl.int_range(pl.len()).over("row"),
        first_time=pl.col("first_time").first().over("row"),
    )


def _candidates(found: pl.DataFrame, rules: AlertRules) -> pl.DataFrame:
    if not found.height:
        return pl.DataFrame(schema=CANDIDATE_COLUMNS)
    span = (pl.col("event_time") - pl.col("first_time")).abs().dt.total_milliseconds()
    return candidates(
        found.select(
            "tenant_id",
            "user_id",
            "session_id",
            "log_epoch",
            "log_partition",
            rule=pl.lit(RULE),
            severity=pl.lit(Severity.WARNING.value),
            entity="session_id",
            window_start=pl.min_horizontal("first_time", "event_time"),
            window_end=pl.max_horizontal("first_time", "event_time"),
            observed=span / (rules.click_floor - 1),
            threshold=pl.lit(rules.click_gap / timedelta(milliseconds=1)),
            log_topic=pl.lit("user-events"),
            as_of="log_offset",
            message=pl.format(
                "{} clicks within {} ms, each less than {} ms after the one before.",
                pl.lit(rules.click_floor),
                span,
                pl.lit(rules.click_gap // timedelta(milliseconds=1)),
            ),
            evidence=evidence(clicks=pl.lit(rules.click_floor), span_ms=span),
        )
    )
