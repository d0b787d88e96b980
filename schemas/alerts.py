"""Alerts: what a rule about unusual behaviour says, and how it is named so that a replay repeats it.

A rule gives candidates; of one rule and entity the first candidate in each cooldown counts. Cooldowns are windows of
event time that begin at multiples of their length, so that which candidate is the first depends on the log alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import polars as pl

from schemas.frames import STRING_MAP, TIMESTAMP

ALERT_COLUMNS: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "alert_id": pl.String(),
    "tenant_id": pl.String(),
    "rule": pl.String(),
    "severity": pl.String(),
    "entity": pl.String(),
    "user_id": pl.String(),
    "session_id": pl.String(),
    "window_start": TIMESTAMP,
    "window_end": TIMESTAMP,
    "observed": pl.Float64(),
    "threshold": pl.Float64(),
    "amount_minor": pl.Int64(),
    "currency": pl.String(),
    "log_topic": pl.String(),
    "log_epoch": pl.Int32(),
    "log_partition": pl.Int32(),
    "as_of": pl.Int64(),
    "message": pl.String(),
    "evidence": STRING_MAP,
}
"""A row of `speed_alerts`, in the terms of the contract `alert`."""

CANDIDATE_COLUMNS = {name: kind for name, kind in ALERT_COLUMNS.items() if name not in {"day", "alert_id"}}
"""What a rule gives. `window_end` decides the cooldown and the day."""


class Severity(StrEnum):
    """How urgent an alert is; the symbols of the contract."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True)
class AlertRules:
    """The thresholds of all rules."""

    click_gap: timedelta = timedelta(milliseconds=100)
    """Clicks closer than this are faster than a hand."""
    click_floor: int = 5
    """So many of them in a row make an alert."""
    click_pause: timedelta = timedelta(seconds=2)
    """Clicks that reach the log further apart than this are not linked, whatever their times say."""
    purchase_factor: float = 5.0
    """An order of more than so many times the mean of the user's earlier ones is unusual."""
    purchase_orders: int = 3
    """A mean is of at least so many earlier orders."""
    purchase_history: timedelta = timedelta(days=90)
    """How far back a mean goes."""
    address_window: timedelta = timedelta(hours=1)
    """Two addresses of one user within this time make an alert."""
    traffic_grace: timedelta = timedelta(minutes=10)
    """Events that reach the log later than this after the end of their hour do not count for the traffic of it."""
    traffic_weeks: int = 4
    """So many earlier weeks make the same hour of the week a measure."""
    traffic_width: float = 4.0
    """Half of the band of usual traffic, in robust standard deviations."""
    traffic_share: float = 0.5
    """The band is at least this share of the usual traffic to each side."""
    traffic_floor: int = 100
    """So many events must be missing or too many."""
    cooldown: timedelta = timedelta(hours=1)
    """At most one alert of a rule and entity in each such window of event time."""


def alerts(candidates: pl.DataFrame, rules: AlertRules) -> pl.DataFrame:
    """`ALERT_COLUMNS`: of `CANDIDATE_COLUMNS` the first by offset of each rule, entity and cooldown, with its id."""
    cooldown = int(rules.cooldown / timedelta(milliseconds=1))
    window = pl.col("window_end").dt.timestamp("ms") // cooldown * cooldown
    named = candidates.with_columns(
        day=window.cast(TIMESTAMP).dt.date(),
        alert_id=pl.concat_str("rule", "tenant_id", "entity", window.cast(pl.String), separator=":"),
    )
    return named.sort("as_of").unique("alert_id", keep="first", maintain_order=True).select(*ALERT_COLUMNS)


def evidence(**facts: pl.Expr) -> pl.Expr:
    """The column `evidence` from expressions by name."""
    pairs = [
        pl.struct(pl.lit(name).alias("key"), value.cast(pl.String).alias("value")) for name, value in facts.items()
    ]
    return pl.concat_list(pairs).alias("evidence")


def candidates(found: pl.DataFrame) -> pl.DataFrame:
    """`CANDIDATE_COLUMNS` of a rule's frame; columns that it does not speak of are null."""
    given = found.with_columns(
        pl.lit(None, kind).alias(name) for name, kind in CANDIDATE_COLUMNS.items() if name not in found.columns
    )
    return given.select(pl.col(name).cast(kind) for name, kind in CANDIDATE_COLUMNS.items())
