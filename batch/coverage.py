"""What a snapshot of the lake covers: the ranges of its ancestors' landings, joined without a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Landing:
    """What one commit of the lake says of itself.

    `start` and `end`: partition -> offsets of the range; `taken_at`: when the end offsets were taken;
    `sequence`: the commit's place in the history of the table.
    """

    snapshot_id: int
    sequence: int
    epoch: int
    start: Mapping[int, int]
    end: Mapping[int, int]
    taken_at: datetime


@dataclass(frozen=True)
class Coverage:
    """`end`: partition -> offset below which every record is in the lake; all of it was in the log by `taken_at`."""

    epoch: int
    end: Mapping[int, int]
    taken_at: datetime


def covered(landings: Sequence[Landing]) -> Coverage:
    """The coverage of a snapshot, from the landings among its ancestors and itself, oldest first.

    A landing whose range begins past what is covered adds nothing: rows of it are in the lake, but a record before them
    is not. The next landing therefore begins at the coverage, and rows past it are not read.
    """
    end: dict[int, int] = {}
    since: dict[int, datetime] = {}
    for landing in landings:
        for partition, start in landing.start.items():
            have = end.setdefault(partition, 0)
            if start <= have:
                end[partition] = max(have, landing.end[partition])
                since[partition] = max(since.get(partition, _NEVER), landing.taken_at)
    taken_at = min((since.get(partition, _NEVER) for partition in end), default=_NEVER)
    return Coverage(landings[-1].epoch if landings else 1, end, taken_at)
