"""Landings of snapshots that expire: folded into few, and kept with the table, so that its history stays whole.

A piece is a table property, named for the snapshot before which it stands, and reaches back to the first landing. It is
written in the commit that expires its snapshots. So a reader who comes to the oldest snapshot that is left finds what
all before it had landed, whatever else committed meanwhile; and two maintenances at once leave two pieces, both right.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from batch.landings import PIECE, Commit, LandedDay, LandedRange


def folded(commits: Iterable[Commit]) -> list[Commit]:
    """The landings, oldest first, with each that begins where the one before it ends joined to it.

    Joined landings give the same coverage and the same sums. Others (of another epoch, repeated, past a gap) stay.
    """
    found: list[Commit] = []
    for commit in commits:
        if found and _continues(found[-1].landed, commit.landed):
            found[-1] = replace(commit, landed=_joined(found[-1].landed, commit.landed))
        else:
            found.append(commit)
    return found


def piece(before: int, commits: Iterable[Commit]) -> dict[str, str]:
    """The property that stands for the snapshots before `before`, with their landings."""
    kept = [[one.snapshot_id, one.sequence, json.loads(one.landed.to_json())] for one in folded(commits)]
    return {f"{PIECE}{before}": json.dumps(kept, separators=(",", ":"))}


def pieces(properties: Mapping[str, str]) -> list[str]:
    """The names of all pieces of a table."""
    return [name for name in properties if name.startswith(PIECE)]


def _continues(before: LandedRange, after: LandedRange) -> bool:
    return (before.topic_id, before.epoch) == (after.topic_id, after.epoch) and dict(before.end) == dict(after.start)


def _joined(before: LandedRange, after: LandedRange) -> LandedRange:
    lost = {p: _lost(before, p) + _lost(after, p) for p in after.end}
    return replace(
        after,
        start=before.start,
        append_times={**before.append_times, **after.append_times},
        records=before.records + after.records,
        dead_letters=before.dead_letters + after.dead_letters,
        days=_days([*before.days, *after.days]),
        lost={p: before.start[p] + count for p, count in lost.items() if count},
    )


def _lost(landed: LandedRange, partition: int) -> int:
    start = landed.start[partition]
    return landed.lost.get(partition, start) - start


def _days(days: Sequence[LandedDay]) -> tuple[LandedDay, ...]:
    found: dict[tuple[object, int], LandedDay] = {}
    for day in days:
        key = (day.day, day.partition)
        known = found.get(key)
        found[key] = day if known is None else _sum(known, day)
    return tuple(sorted(found.values(), key=lambda one: (one.day, one.partition)))


def _sum(one: LandedDay, other: LandedDay) -> LandedDay:
    return replace(
        one,
        records=one.records + other.records,
        first_offset=min(one.first_offset, other.first_offset),
        last_offset=max(one.last_offset, other.last_offset),
    )
