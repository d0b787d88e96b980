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

from schemas.distinct import distinct, ends
from schemas.fragments import Fragments, codes_in, fold, fragments_of, lists, recoded, sessions_of
from schemas.frames import EVENT_COLUMNS, GROUP
from schemas.lateness import LATE_AFTER
from schemas.sessions import SESSION_COLUMNS, SessionRules, with_flags
from streams.heap import Heap, ramp
from streams.packing import pack, unpack
from streams.seen import Identity, Judged, News, Seen
from streams.table import Ints
from streams.texts import Texts

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

EVENT_IDENTITY = Identity("session_id", ("event_id",), STATE_COLUMNS, filter_bits=28)

_NESTED = [column for column in SESSION_COLUMNS if column not in GROUP]
_DAY_MS = 86_400_000
_DAY_BITS = 24
_PLACE_BITS = 32
_MOST_TEXTS = 1 << 20
"""Different texts that are kept at least."""
_AT_ONCE = 1 << 14
"""Groups that are looked through at once."""


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
    fragments: Fragments


class SessionMemory:
    """The groups in memory: the ids of their events, their fragments, and the texts that these have the codes of."""

    def __init__(self, most_texts: int = _MOST_TEXTS) -> None:
        self.seen = Seen(EVENT_IDENTITY)
        self.fragments = Heap()
        self.texts = Texts()
        self._least_bound = self._most_texts = most_texts

    @property
    def bytes(self) -> int:
        """Memory taken, without the filter of what is stored."""
        return self.seen.bytes + self.fragments.bytes + self.texts.bytes

    def take_in(self, news: News, fragments: Fragments, stamp: int) -> None:
        """Remembers what a written tick brought."""
        self.seen.take_in(news, stamp)
        self.fragments.write(pack(fragments))
        if len(self.texts) > self._most_texts:
            self._forget_texts()

    def keep(self, kept: np.ndarray) -> None:
        """Drops the other groups."""
        self.seen.keep(kept)
        self.fragments.keep(kept)

    def _forget_texts(self) -> None:
        """Drops the texts that no fragment has the code of. Seldom: not before there are twice as many again."""
        owners, used = self.fragments.owners(), np.zeros(len(self.texts), np.bool_)
        used[0] = True
        parts = [owners[at : at + _AT_ONCE] for at in range(0, len(owners), _AT_ONCE)]
        for part in parts:
            for codes in codes_in(unpack(self.fragments.read(part))):
                used[codes] = True
        codes = self.texts.keep(used)
        for part in parts:
            self.fragments.write(pack(recoded(unpack(self.fragments.read(part)), codes)))
        self._most_texts = max(self._least_bound, 2 * len(self.texts))


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
    folded, is_touched = _folded(memory, judged, used, owner, rules)
    last = _last_events(used, owner)
    touched = _touched_days(folded, is_touched, last)
    return SessionChange(
        used=used,
        duplicates=new[repeated].with_columns(pl.Series("first_offset", judged.first_offset[repeated])),
        rows=_rows(folded, memory.texts, touched, rules, horizon),
        reach=_reach(touched),
        news=judged.news,
        fragments=folded,
    )


def restore(memory: SessionMemory, stored: pl.DataFrame, rules: SessionRules, stamp: int) -> None:
    """Takes whole groups (`STATE_COLUMNS`) into memory, of which none is there."""
    judged = memory.seen.judge_stored(stored)
    folded, _ = fold(fragments_of(judged.fetched, judged.fetched_owner, memory.texts), rules, memory.texts)
    memory.take_in(judged.news, folded, stamp)


def _folded(
    memory: SessionMemory, judged: Judged, used: pl.DataFrame, owner: Ints, rules: SessionRules
) -> tuple[Fragments, np.ndarray]:
    """All sessions of the groups at hand, and which of them a new event lies in."""
    known = distinct(owner[owner < len(memory.seen)])
    parts = [
        fragments_of(used, owner, memory.texts),
        unpack(memory.fragments.read(known)),
        fragments_of(judged.fetched, judged.fetched_owner, memory.texts),
    ]
    folded, session = fold(Fragments.joined(parts), rules, memory.texts)
    is_touched = np.zeros(len(folded), np.bool_)
    is_touched[session[: used.height]] = True
    return folded, is_touched


def _last_events(used: pl.DataFrame, owner: Ints) -> pl.DataFrame:
    """GROUP, `group`, `as_of`, `append_time`: the last new event of each group, by group."""
    by_offset = np.argsort(used["log_offset"].to_numpy(), kind="stable")
    ordered = np.sort(owner[by_offset] << _PLACE_BITS | np.arange(len(owner)))
    last = by_offset[ordered[ends(ordered >> _PLACE_BITS)] & ((1 << _PLACE_BITS) - 1)]
    rows = used.select(*GROUP, as_of="log_offset", append_time="append_time")[pl.Series(last)]
    return rows.with_columns(pl.Series("group", owner[last], pl.Int64))


def _touched_days(folded: Fragments, is_touched: np.ndarray, last: pl.DataFrame) -> pl.DataFrame:
    """GROUP, `group`, `day`, `as_of`, `append_time`, `late`: the days on which touched sessions lie.

    A gap is shorter than a day, so a session has events on all days from its first to its last.
    """
    first = folded.start[is_touched] // _DAY_MS
    span = folded.end[is_touched] // _DAY_MS - first + 1
    key = distinct(np.repeat(folded.group[is_touched], span) << _DAY_BITS | ramp(first, span))
    group, day = key >> _DAY_BITS, key & ((1 << _DAY_BITS) - 1)
    rows = last[pl.Series(np.searchsorted(last["group"].to_numpy(), group))]
    end_of_day = ((pl.col("day").cast(pl.Int64) + 1) * _DAY_MS).cast(pl.Datetime("ms", "UTC"))
    return rows.with_columns(pl.Series("day", day, pl.Int32).cast(pl.Date)).with_columns(
        late=pl.col("append_time") > end_of_day + LATE_AFTER
    )


def _rows(
    folded: Fragments, texts: Texts, touched: pl.DataFrame, rules: SessionRules, horizon: timedelta
) -> pl.DataFrame:
    """All sessions of each touched group and day, as of the group's last used offset, save days past their horizon."""
    hot = touched.filter(pl.col("day") + horizon >= pl.col("append_time").dt.date())
    of = folded.group << _DAY_BITS | folded.start // _DAY_MS
    wanted = hot["group"].to_numpy() << _DAY_BITS | hot["day"].to_physical().cast(pl.Int64).to_numpy()
    first, end = np.searchsorted(of, wanted), np.searchsorted(of, wanted, side="right")
    count = end - first
    chosen = ramp(first, count)
    sessions = sessions_of(folded, texts)
    # Rows in the order of the frame: as many as it has are all of it.
    sessions = sessions if len(chosen) == len(folded) else sessions[pl.Series(chosen)]
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
