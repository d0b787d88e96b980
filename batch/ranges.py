"""Which range of the log a landing takes: from what the lake covers to what the log holds, in bounded pieces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from batch.coverage import covered
from batch.landings import Commit
from batch.log import LogEnds

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class LogReplaced(Exception):
    """The topic is not the log that was landed before. Restore that log, or land the new one as a new epoch."""

    def __init__(self, topic: str, why: str) -> None:
        super().__init__(f"topic {topic}: {why}, so this is another log. Restore the old one, or begin a new epoch.")
        self.topic, self.why = topic, why


class RecordsExpired(Exception):
    """Kafka deleted records that were never landed. Landing on without them has to be asked for."""

    def __init__(self, topic: str, missing: Mapping[int, tuple[int, int]]) -> None:
        ranges = ", ".join(f"partition {p}: [{first}, {end})" for p, (first, end) in sorted(missing.items()))
        super().__init__(
            f"topic {topic} no longer holds records that were never landed: {ranges}. They are lost to the lake unless "
            "they are restored; `land --accept-loss` goes on without them and records the loss."
        )
        self.topic, self.missing = topic, missing


@dataclass(frozen=True)
class Covered:
    """How far the lake goes: partition -> offset, and partition -> append time (ms) of the last record below it."""

    offsets: Mapping[int, int]
    append_times: Mapping[int, int]


@dataclass(frozen=True)
class Range:
    """A range to land: what it claims to cover, and from where it is read."""

    start: Mapping[int, int]
    read_from: Mapping[int, int]
    """Same as `start`, except where records have expired."""
    end: Mapping[int, int]
    complete: bool
    """Whether it reaches all ends."""

    @property
    def lost(self) -> dict[int, int]:
        """Partition -> first offset that was still there, where records have expired."""
        return {p: offset for p, offset in self.read_from.items() if offset > self.start[p]}

    @property
    def offsets(self) -> int:
        """How many offsets are read."""
        return sum(self.end[p] - self.read_from[p] for p in self.end)


def covered_by(commits: Iterable[Commit], epoch: int) -> Covered:
    """What the landings of an epoch, oldest first, cover from the beginning without a gap."""
    ours = [commit for commit in commits if commit.landed.epoch == epoch]
    offsets = covered([commit.landing for commit in ours]).end
    times: dict[int, int] = {}
    for landed in (commit.landed for commit in ours):
        within = {p: time for p, time in landed.append_times.items() if landed.end[p] <= offsets[p]}
        times |= {p: max(time, times.get(p, 0)) for p, time in within.items()}
    return Covered(offsets, times)


def check_same_log(ends: LogEnds, epoch: int, commits: Iterable[Commit], have: Covered) -> None:
    """Raises `LogReplaced` unless the log can be the one that was landed as this epoch, and as no other."""
    for landed in (commit.landed for commit in commits):
        if (landed.topic_id == ends.topic_id) != (landed.epoch == epoch):
            raise LogReplaced(ends.topic, f"epoch {landed.epoch} is of id {landed.topic_id}, not {ends.topic_id}")
    if not have.offsets:
        return
    if ends.end.keys() != have.offsets.keys():
        raise LogReplaced(ends.topic, f"it has {len(ends.end)} partitions and {len(have.offsets)} were landed")
    short = [p for p, end in ends.end.items() if end < have.offsets[p]]
    if short:
        p = short[0]
        raise LogReplaced(ends.topic, f"partition {p} ends at {ends.end[p]} and was landed up to {have.offsets[p]}")


def next_range(ends: LogEnds, covered: Covered, limit: int, *, accept_loss: bool) -> Range:
    """The next range of at most about `limit` offsets, shared evenly among the partitions that have any.

    Raises `RecordsExpired` if Kafka no longer holds its beginning, unless `accept_loss`.
    """
    start = {p: covered.offsets.get(p, 0) for p in ends.end}
    missing = {p: (start[p], ends.begin[p]) for p in start if start[p] < ends.begin[p]}
    if missing and not accept_loss:
        raise RecordsExpired(ends.topic, missing)
    read_from = {p: max(start[p], ends.begin[p]) for p in start}
    behind = sum(read_from[p] < ends.end[p] for p in start)
    share = max(1, limit // max(1, behind))
    end = {p: min(ends.end[p], read_from[p] + share) for p in start}
    return Range(start, read_from, end, complete=end == dict(ends.end))


def landed_until(ends: LogEnds, landed: Range, append_times: Mapping[int, int]) -> datetime:
    """A time before which everything appended lies below `landed.end`.

    That is when the ends were taken, if the range reaches them; else, since append times are monotone, the earliest
    append time of the last record of a partition that is still behind.
    """
    behind = [p for p, end in landed.end.items() if end < ends.end[p]]
    if not behind:
        return ends.taken_at
    if any(p not in append_times for p in behind):
        return LONG_AGO
    return min(ends.taken_at, datetime.fromtimestamp(min(append_times[p] for p in behind) / 1000, UTC))
