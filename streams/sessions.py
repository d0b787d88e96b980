"""Sessions of the speed layer: whole groups, folded from all their events, known or fetched.

The memory is only a cache of stored events. A group that is not in it is fetched from the store below the start of the
slice, so no row is ever made from a part of a group.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from schemas.frames import EVENT_COLUMNS, GROUP, utc_day
from schemas.lateness import LATE_AFTER
from schemas.sessions import SESSION_COLUMNS, SessionRules, first_offsets, number_sessions, summarise

STATE_COLUMNS = {
    column: EVENT_COLUMNS[column]
    for column in (
        *GROUP,
        "event_id",
        "user_id",
        "event_type",
        "event_time",
        "page",
        "referrer",
        "platform",
        "device_class",
        "country",
        "product_id",
        "experiments",
        "log_offset",
        "append_time",
    )
}
"""What the fold needs of an event."""

_NESTED = [column for column in SESSION_COLUMNS if column not in GROUP]


@dataclass(frozen=True)
class SessionChange:
    """What one tick does to sessions.

    `used` and `duplicates` split the new events (`EVENT_COLUMNS`; duplicates add `first_offset`);
    `rows` are those of `speed_sessions`, `reach` those of `speed_reach`;
    `groups` holds the used events of every touched group (`STATE_COLUMNS`), the memory after the tick.
    """

    used: pl.DataFrame
    duplicates: pl.DataFrame
    rows: pl.DataFrame
    reach: pl.DataFrame
    groups: pl.DataFrame


def apply(known: pl.DataFrame, new: pl.DataFrame, rules: SessionRules, horizon: timedelta) -> SessionChange:
    """Folds new events into their groups.

    `known` holds all events (`STATE_COLUMNS`) of the groups that `new` (`EVENT_COLUMNS`) touches, below the slices.
    """
    marked = first_offsets(
        pl.concat(
            [known.select(*STATE_COLUMNS).with_columns(new=False), new.select(*STATE_COLUMNS).with_columns(new=True)]
        )
    )
    verdicts = new.join(
        marked.filter(pl.col("new")).select(*GROUP, "log_offset", "first_offset"), on=[*GROUP, "log_offset"]
    )
    wins = pl.col("log_offset") == pl.col("first_offset")
    groups = marked.filter(wins).drop("first_offset").unique([*GROUP, "log_offset"], keep="last", maintain_order=True)
    touched = _touched_days(number_sessions(groups, rules))
    return SessionChange(
        used=verdicts.filter(wins).select(*EVENT_COLUMNS),
        duplicates=verdicts.filter(~wins),
        rows=_rows(groups, touched, rules, horizon),
        reach=_reach(touched),
        groups=groups.select(*STATE_COLUMNS),
    )


def _touched_days(numbered: pl.DataFrame) -> pl.DataFrame:
    """GROUP, `day`, `as_of`, `append_time`, `late`: each day on which an event of a session with a new event lies."""
    as_of = numbered.group_by(GROUP).agg(
        as_of=pl.col("log_offset").max(), append_time=pl.col("append_time").sort_by("log_offset").last()
    )
    in_touched = pl.col("new").any().over("session_number")
    days = numbered.filter(in_touched).select(*GROUP, day=utc_day("event_time")).unique(maintain_order=True)
    end_of_day = pl.col("day").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC") + timedelta(days=1)
    return days.join(as_of, on=GROUP).with_columns(late=pl.col("append_time") > end_of_day + LATE_AFTER)


def _rows(groups: pl.DataFrame, touched: pl.DataFrame, rules: SessionRules, horizon: timedelta) -> pl.DataFrame:
    """All sessions of each touched group and day, as of the group's last used offset, save days past their horizon."""
    sessions = summarise(number_sessions(groups, rules), rules).with_columns(day=utc_day("session_start"))
    nested = sessions.group_by(*GROUP, "day", maintain_order=True).agg(sessions=pl.struct(_NESTED))
    hot = pl.col("day") + horizon >= utc_day("append_time")
    none = pl.lit([], dtype=nested.schema["sessions"])
    return (
        touched.filter(hot)
        .join(nested, on=[*GROUP, "day"], how="left")
        .select(
            "day",
            *GROUP,
            "as_of",
            "late",
            definition=pl.lit(rules.definition),
            sessions=pl.col("sessions").fill_null(none),
        )
    )


def _reach(touched: pl.DataFrame) -> pl.DataFrame:
    """Groups that changed a closed day, with all the days that their touched sessions lie on."""
    return (
        touched.group_by(GROUP, maintain_order=True)
        .agg(
            as_of=pl.col("as_of").first(),
            append_time=pl.col("append_time").first(),
            days=pl.col("day"),
            late=pl.col("late").any(),
        )
        .filter(pl.col("late"))
        .select(
            pl.lit("events").alias("dataset"),
            "tenant_id",
            pl.col("session_id").alias("entity_id"),
            "log_epoch",
            "log_partition",
            "as_of",
            "append_time",
            "days",
        )
    )
