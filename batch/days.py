"""Which days a recompute takes along: all ended days that a session connects with those asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime

import polars as pl

from batch.publication import Publication
from schemas.lateness import is_publishable


def connected(
    days: Collection[date], reach: pl.DataFrame, current: Mapping[date, Publication], until: datetime
) -> frozenset[date]:
    """The publishable days among `days` and all that must move with them.

    `reach` has a row per session: `log_partition`, `event_days`, `last_offset`. A session that touches a day takes
    along every other publishable day on which it has events, and so on, unless that day's cut is already past all of
    the session: then its published rows know the session as it is.
    """
    links = _links(reach, current, until)
    found = frozenset(days)
    while True:
        touching = links.filter(pl.col("event_days").list.set_intersection(sorted(found)).list.len() > 0)
        more = found | frozenset(touching["takes_along"].explode().drop_nulls().to_list())
        if more == found:
            return frozenset(day for day in found if is_publishable(day, until))
        found = more


def _links(reach: pl.DataFrame, current: Mapping[date, Publication], until: datetime) -> pl.DataFrame:
    """Sessions of several days: `event_days`, and `takes_along`, those of them that are not yet published with it."""
    several = reach.filter(pl.col("event_days").list.len() > 1)
    takes_along = [
        [day for day in days if is_publishable(day, until) and not _knows(current.get(day), partition, offset)]
        for days, partition, offset in several.select("event_days", "log_partition", "last_offset").iter_rows()
    ]
    column = pl.Series("takes_along", takes_along, dtype=pl.List(pl.Date))
    return several.select("event_days").with_columns(column)


def _knows(publication: Publication | None, partition: int, last_offset: int) -> bool:
    return publication is not None and publication.counts(partition, last_offset)
