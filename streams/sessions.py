"""Sessions of the speed layer: whole groups, folded from all their events, as fragments in memory or events fetched.

The memory is only a cache of stored events. A group that is not in it is fetched from the store below the start of the
slice, so no row is ever made from a part of a group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from schemas.distinct import begins, distinct
from schemas.fragments import FRAGMENT_COLUMNS, fold, fragments_of, lists, sessions_of
from schemas.frames import EVENT_COLUMNS, GROUP
from schemas.lateness import LATE_AFTER
from schemas.sessions import SESSION_COLUMNS, SessionRules, with_flags
from streams.index import Ints
from streams.runs import Runs
from streams.seen import Identity, Judged, News, Seen

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

EVENT_IDENTITY = Identity("session_id", ("event_id",), STATE_COLUMNS)

_NESTED = [column for column in SESSION_COLUMNS if column not in GROUP]
_DAY_MS = 86_400_000
_DAY_BITS = 24
_PLACE_BITS = 32


@dataclass(frozen=True)
class SessionChange:
    """What one tick does to sessions.

    `used` and `duplicates` split the new events (`EVENT_COLUMNS`; duplicates add `first_offset`);
    `rows` are those of `speed_sessions`, `reach` those of `speed_reach`;
    `news` and `fragments`, of every touched group, are what the memory takes in.
    """

    used: pl.DataFrame
    duplicates: pl.DataFrame
    rows: pl.DataFrame
    reach: pl.DataFrame
    news: News
    fragments: pl.DataFrame


class SessionMemory:
    """The groups in memory: the ids of their events, and their fragments."""

    def __init__(self) -> None:
        self.seen = Seen(EVENT_IDENTITY)
        self.fragments = Runs(FRAGMENT_COLUMNS)

    def take_in(self, news: News, fragments: pl.DataFrame, stamp: int) -> None:
        """Remembers what a written tick brought."""
        self.seen.take_in(news, stamp)
        self.fragments.write(fragments)

    def keep(self, kept: np.ndarray) -> None:
        """Drops the other groups."""
        self.seen.keep(kept)
        self.fragments.keep(kept)


def apply(
    memory: SessionMemory,
    new: pl.DataFrame,
    fetch: Callable[[pl.DataFrame], pl.DataFrame],
    rules: SessionRules,
    horizon: timedelta,
) -> SessionChange:
    """Folds new events (`EVENT_COLUMNS`) into their groups; `fetch` brings the stored events of groups."""
    judged = memory.seen.judge(new, fetch)
    repeated = np.flatnonzero(~judged.used)
    used, owner = new.filter(pl.Series(judged.used)) if len(repeated) else new, judged.owner[judged.used]
    known = memory.fragments.read(distinct(owner[owner < len(memory.seen)]))
    folded, is_touched = _folded(judged, used, owner, known, rules)
    last = _last_events(used, owner)
    touched = _touched_days(folded, is_touched, last)
    return SessionChange(
        used=used,
        duplicates=new[repeated].with_columns(pl.Series("first_offset", judged.first_offset[repeated])),
        rows=_rows(folded, touched, rules, horizon),
        reach=_reach(touched),
        news=judged.news,
        fragments=folded,
    )


def restore(memory: SessionMemory, stored: pl.DataFrame, rules: SessionRules, stamp: int) -> None:
    """Takes whole groups (`STATE_COLUMNS`) into memory, of which none is there."""
    judged = memory.seen.judge_stored(stored)
    folded, _ = fold(fragments_of(judged.fetched, judged.fetched_owner), rules)
    memory.take_in(judged.news, folded, stamp)


def _folded(
    judged: Judged, used: pl.DataFrame, owner: Ints, known: pl.DataFrame, rules: SessionRules
) -> tuple[pl.DataFrame, np.ndarray]:
    """All sessions of the groups at hand, and which of them a new event lies in."""
    parts = [fragments_of(used, owner), known, fragments_of(judged.fetched, judged.fetched_owner)]
    folded, session = fold(pl.concat(parts, rechunk=True), rules)
    is_touched = np.zeros(folded.height, np.bool_)
    is_touched[session[: used.height]] = True
    return folded, is_touched


def _last_events(used: pl.DataFrame, owner: Ints) -> pl.DataFrame:
    """GROUP, `group`, `as_of`, `append_time`: the last new event of each group, by group."""
    by_offset = np.argsort(used["log_offset"].to_numpy(), kind="stable")
    ordered = np.sort(owner[by_offset] << _PLACE_BITS | np.arange(len(owner)))
    last = by_offset[ordered[_ends(ordered >> _PLACE_BITS)] & ((1 << _PLACE_BITS) - 1)]
    rows = used.select(*GROUP, as_of="log_offset", append_time="append_time")[pl.Series(last)]
    return rows.with_columns(pl.Series("group", owner[last], pl.Int64))


def _ends(ordered: Ints) -> np.ndarray:
    """Where a run of equal values ends."""
    return begins(ordered[::-1])[::-1]


def _touched_days(folded: pl.DataFrame, is_touched: np.ndarray, last: pl.DataFrame) -> pl.DataFrame:
    """GROUP, `group`, `day`, `as_of`, `append_time`, `late`: the days on which touched sessions lie.

    A gap is shorter than a day, so a session has events on all days from its first to its last.
    """
    touched = folded.filter(pl.Series(is_touched)).select("group", first=pl.col("start") // _DAY_MS, end="end")
    span = (touched["end"] // _DAY_MS - touched["first"] + 1).to_numpy()
    day = np.repeat(touched["first"].to_numpy(), span) + np.arange(span.sum()) - np.repeat(np.cumsum(span) - span, span)
    key = distinct(np.repeat(touched["group"].to_numpy(), span) << _DAY_BITS | day)
    group, day = key >> _DAY_BITS, key & ((1 << _DAY_BITS) - 1)
    rows = last[pl.Series(np.searchsorted(last["group"].to_numpy(), group))]
    end_of_day = ((pl.col("day").cast(pl.Int64) + 1) * _DAY_MS).cast(pl.Datetime("ms", "UTC"))
    return rows.with_columns(pl.Series("day", day, pl.Int32).cast(pl.Date)).with_columns(
        late=pl.col("append_time") > end_of_day + LATE_AFTER
    )


def _rows(folded: pl.DataFrame, touched: pl.DataFrame, rules: SessionRules, horizon: timedelta) -> pl.DataFrame:
    """All sessions of each touched group and day, as of the group's last used offset, save days past their horizon."""
    hot = touched.filter(pl.col("day") + horizon >= pl.col("append_time").dt.date())
    of = folded["group"].to_numpy() << _DAY_BITS | folded["start"].to_numpy() // _DAY_MS
    wanted = hot["group"].to_numpy() << _DAY_BITS | hot["day"].to_physical().cast(pl.Int64).to_numpy()
    first, end = np.searchsorted(of, wanted), np.searchsorted(of, wanted, side="right")
    count = end - first
    chosen = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(count.sum())
    # Rows in the order of the frame: as many as it has are all of it.
    sessions = sessions_of(folded if len(chosen) == folded.height else folded[pl.Series(chosen)])
    session_ids = hot["session_id"].gather(pl.Series(np.repeat(np.arange(len(count)), count)))
    sessions = with_flags(sessions.with_columns(session_ids), rules)
    return hot.select(
        "day",
        *GROUP,
        "as_of",
        "late",
        definition=pl.lit(rules.definition),
        sessions=lists(sessions.select(pl.struct(_NESTED)).to_series(), count),
    )


def _reach(touched: pl.DataFrame) -> pl.DataFrame:
    """Groups that changed a closed day, with all the days that their touched sessions lie on."""
    group = touched["group"].to_numpy()
    is_reached = np.isin(group, group[touched["late"].to_numpy()])
    return (
        touched.filter(pl.Series(is_reached))
        .group_by("group", maintain_order=True)
        .agg(pl.col(*GROUP, "as_of", "append_time").first(), days=pl.col("day"))
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
