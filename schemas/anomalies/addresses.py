"""One user on two addresses within an hour.

A sighting says that a user was seen with an address in a session during five minutes of event time; which event is
the first of them does not matter. Two sightings of one user with different addresses whose windows begin at most
`address_window` apart are a candidate, at the later of the two. So the alerts follow from the set of sightings alone,
whatever their order and however often each comes.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from schemas.alerts import CANDIDATE_COLUMNS, AlertRules, Severity, candidates, evidence
from schemas.frames import TIMESTAMP, empty, utc_day
from schemas.products import window_start

RULE = "new_address"
PERSON = ("tenant_id", "user_id")

SIGHTING_COLUMNS: dict[str, pl.DataType] = {
    "day": pl.Date(),
    "tenant_id": pl.String(),
    "user_id": pl.String(),
    "session_id": pl.String(),
    "event_id": pl.String(),
    "ip": pl.String(),
    "timestamp": TIMESTAMP,
    "log_epoch": pl.Int32(),
    "log_partition": pl.Int32(),
    "log_offset": pl.Int64(),
}
"""A row of `speed_sightings`: `timestamp` is the start of the five minutes, the position is the event's."""

SIGHTING = ("tenant_id", "user_id", "session_id", "ip", "timestamp", "log_epoch", "log_partition")
"""Sightings that agree in these are one."""
_TIMES = ("day", "timestamp")


def seen(events: pl.DataFrame) -> pl.DataFrame:
    """`SIGHTING_COLUMNS` of used events (`EVENT_COLUMNS`) with a user and an address, as often as they were seen."""
    rows = events.select("event_time", *(name for name in SIGHTING_COLUMNS if name not in _TIMES))
    rows = rows.filter(pl.col("user_id").is_not_null() & (pl.col("ip") != "")).with_columns(timestamp=window_start())
    return rows.with_columns(day=utc_day("timestamp")).select(*SIGHTING_COLUMNS)


def firsts(rows: pl.DataFrame) -> pl.DataFrame:
    """Of equal sightings the first in the log."""
    return rows.sort("log_offset").unique(SIGHTING, keep="first", maintain_order=True)


def fold(known: pl.DataFrame, new: pl.DataFrame, rules: AlertRules) -> pl.DataFrame:
    """`CANDIDATE_COLUMNS` of new sightings (`SIGHTED_COLUMNS` of `schemas.frames`).

    `known` holds every sighting of the same users near them: `PERSON`, `ip`, `session_id` and `timestamp`.
    """
    others = known.select(*PERSON, other_ip="ip", other_session="session_id", other_time="timestamp").unique()
    apart = (pl.col("timestamp") - pl.col("other_time")).abs() <= rules.address_window
    pairs = new.join(others, on=PERSON).filter(apart & (pl.col("ip") != pl.col("other_ip")))
    if not pairs.height:
        return empty(CANDIDATE_COLUMNS)
    between = pl.col("window_end") - pl.col("window_start")
    ordered = pairs.with_columns(
        window_start=pl.min_horizontal("timestamp", "other_time"),
        window_end=pl.max_horizontal("timestamp", "other_time"),
    ).sort("log_offset", "window_end", "window_start", "other_ip", "other_session")
    return candidates(
        ordered.select(
            "tenant_id",
            "user_id",
            "session_id",
            "window_start",
            "window_end",
            "log_epoch",
            "log_partition",
            rule=pl.lit(RULE),
            severity=pl.lit(Severity.WARNING.value),
            entity="user_id",
            observed=between.dt.total_seconds(fractional=True) / 60,
            threshold=pl.lit(rules.address_window / timedelta(minutes=1)),
            log_topic=pl.lit("user-sightings"),
            as_of="log_offset",
            message=pl.format("Seen on {} and on {} within the hour.", "ip", "other_ip"),
            evidence=evidence(ip=pl.col("ip"), other_ip=pl.col("other_ip"), other_session_id=pl.col("other_session")),
        )
    )
