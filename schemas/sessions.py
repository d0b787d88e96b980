"""Sessions: the definition, and the pure functions that both layers run.

A session is a run of a group's events whose gaps are under the session gap; a gap of exactly the session gap cuts.
Events at one millisecond are ordered by event id, so that the answer depends on the log alone. There is no cut at
midnight: a session belongs to the UTC day of its first event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from hashlib import sha256

import polars as pl

from schemas.frames import GROUP, TIMESTAMP

ORDER_IN_GROUP = ("event_time", "event_id")


@dataclass(frozen=True)
class SessionRules:
    """What makes a session. All layers are handed the same object, and rows carry its `definition`."""

    gap: timedelta = timedelta(minutes=30)
    """A pause of this length or longer cuts."""
    engaged_after: timedelta = timedelta(seconds=10)
    """A session longer than this is engaged even with one page view."""
    engaged_page_views: int = 2
    overlong_after: timedelta = timedelta(hours=24)
    """A longer session is kept and flagged, and left out of engaged and duration figures."""
    page_limit: int = 1000
    """Distinct pages are counted up to here, so that a bot's session stays small."""

    product_limit: int = 100
    """Distinct products are kept up to here, in the order in which they were seen."""
    experiment_limit: int = 20
    """Distinct variants of experiments are kept up to here, in alphabetical order."""

    @property
    def definition(self) -> str:
        """A hash of the rules: rows of different definitions are never folded together."""
        text = ";".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))
        return sha256(text.encode()).hexdigest()[:16]


SESSION_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "session_id": pl.String(),
    "log_epoch": pl.Int32(),
    "log_partition": pl.Int32(),
    "session_start": TIMESTAMP,
    "session_end": TIMESTAMP,
    "user_id": pl.String(),
    "visitor_id": pl.String(),
    "events": pl.Int64(),
    "page_views": pl.Int64(),
    "clicks": pl.Int64(),
    "searches": pl.Int64(),
    "add_to_carts": pl.Int64(),
    "purchases": pl.Int64(),
    "unique_pages": pl.Int64(),
    "entry_page": pl.String(),
    "exit_page": pl.String(),
    "referrer": pl.String(),
    "platform": pl.String(),
    "device_class": pl.String(),
    "country": pl.String(),
    "products": pl.List(pl.String),
    "experiments": pl.List(pl.String),
    "converted": pl.Boolean(),
    "engaged": pl.Boolean(),
    "overlong": pl.Boolean(),
    "duration_ms": pl.Int64(),
}
"""A session row. `user_id` is that of the last event that has one; `visitor_id` is that user, else the session id.

`platform` and `device_class` are those of the first event, `country` the first known; `products` were seen in this
order; `experiments` has texts experiment=variant.
"""

REACH_COLUMNS: dict[str, pl.DataType] = {"event_days": pl.List(pl.Date()), "last_offset": pl.Int64()}
"""What a session touches: the UTC days on which its events lie, and its greatest offset."""


def first_offsets(events: pl.DataFrame) -> pl.DataFrame:
    """Adds `first_offset`: the lowest offset of the same event id in the same group. Any other row is a duplicate."""
    return events.with_columns(first_offset=pl.col("log_offset").min().over([*GROUP, "event_id"]))


def without_duplicates(events: pl.DataFrame) -> pl.DataFrame:
    """The events that count: of one group and event id only the lowest offset, and each position once."""
    first = first_offsets(events).filter(pl.col("log_offset") == pl.col("first_offset"))
    return first.drop("first_offset").unique([*GROUP, "log_offset"], keep="last", maintain_order=True)


def number_sessions(used: pl.DataFrame, rules: SessionRules) -> pl.DataFrame:
    """The used events, sorted, with `session_number`: equal for events of one session, different otherwise."""
    ordered = used.sort([*GROUP, *ORDER_IN_GROUP])
    same_group = pl.all_horizontal([pl.col(key) == pl.col(key).shift() for key in GROUP])
    close = (pl.col("event_time") - pl.col("event_time").shift()) < rules.gap
    return ordered.with_columns(session_number=(~(same_group & close).fill_null(value=False)).cum_sum())


def summarise(numbered: pl.DataFrame, rules: SessionRules) -> pl.DataFrame:
    """One row per session: `session_number`, `SESSION_COLUMNS` and `REACH_COLUMNS`."""
    kind, page = pl.col("event_type"), pl.col("page").filter(pl.col("event_type") == "page_view").drop_nulls()
    rows = numbered.group_by("session_number", maintain_order=True).agg(
        *[pl.col(key).first() for key in GROUP],
        session_start=pl.col("event_time").first(),
        session_end=pl.col("event_time").last(),
        user_id=pl.col("user_id").drop_nulls().last(),
        events=pl.len().cast(pl.Int64),
        page_views=_count(kind, "page_view"),
        clicks=_count(kind, "click"),
        searches=_count(kind, "search"),
        add_to_carts=_count(kind, "add_to_cart"),
        purchases=_count(kind, "purchase"),
        unique_pages=page.n_unique().cast(pl.Int64).clip(upper_bound=rules.page_limit),
        entry_page=page.first(),
        exit_page=page.last(),
        referrer=pl.col("referrer").drop_nulls().first(),
        platform=pl.col("platform").first(),
        device_class=pl.col("device_class").first(),
        country=pl.col("country").drop_nulls().first(),
        event_days=pl.col("event_time").dt.date().unique(),
        last_offset=pl.col("log_offset").max(),
    )
    seen = _with_lists(rows, [_products(numbered, rules), _experiments(numbered, rules)])
    return with_flags(seen, rules).select("session_number", *SESSION_COLUMNS, *REACH_COLUMNS)


def fold(used: pl.DataFrame, rules: SessionRules) -> pl.DataFrame:
    """Sessions of whole groups: `SESSION_COLUMNS` and `REACH_COLUMNS`, from events without duplicates."""
    return summarise(number_sessions(used, rules), rules).drop("session_number")


def _products(numbered: pl.DataFrame, rules: SessionRules) -> pl.DataFrame:
    distinct = numbered.select("session_number", products="product_id").drop_nulls().unique(maintain_order=True)
    return distinct.group_by("session_number").agg(pl.col("products").head(rules.product_limit))


def _experiments(numbered: pl.DataFrame, rules: SessionRules) -> pl.DataFrame:
    given = numbered.select("session_number", "experiments").filter(pl.col("experiments").list.len() > 0)
    pairs = given.explode("experiments").select(
        "session_number",
        experiments=pl.concat_str(pl.col("experiments").struct.unnest(), separator="="),
    )
    return pairs.unique().group_by("session_number").agg(pl.col("experiments").sort().head(rules.experiment_limit))


def _with_lists(rows: pl.DataFrame, lists: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows with the columns of each frame of lists; a session that such a frame lacks has an empty list."""
    for each in lists:
        name = each.columns[1]
        rows = rows.join(each, on="session_number", how="left", maintain_order="left").with_columns(
            pl.col(name).fill_null(pl.lit([], dtype=pl.List(pl.String)))
        )
    return rows


def _count(kind: pl.Expr, name: str) -> pl.Expr:
    return (kind == name).sum().cast(pl.Int64)


def with_flags(rows: pl.DataFrame, rules: SessionRules) -> pl.DataFrame:
    """Adds what follows from a session's other columns: visitor, duration, converted, overlong and engaged."""
    duration = (pl.col("session_end") - pl.col("session_start")).dt.total_milliseconds()
    rows = rows.with_columns(
        visitor_id=pl.coalesce("user_id", "session_id"),
        duration_ms=duration,
        converted=pl.col("purchases") > 0,
        overlong=duration > rules.overlong_after // timedelta(milliseconds=1),
    )
    busy = (
        (pl.col("duration_ms") > rules.engaged_after // timedelta(milliseconds=1))
        | (pl.col("page_views") >= rules.engaged_page_views)
        | (pl.col("purchases") > 0)
        | (pl.col("add_to_carts") > 0)
    )
    return rows.with_columns(engaged=busy & ~pl.col("overlong"))
