"""What the lake says about what it holds: the landings that are ancestors of a snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from batch.coverage import Landing

LANDING = "rivermeet.landing"
"""The snapshot property that holds a landing as JSON."""
PIECE = "rivermeet.landed."
"""The table properties that keep what expired snapshots had landed begin so; see `batch.folding`."""
KEPT_FROM = "rivermeet.kept-from"
"""The table property that names the first day whose rows are all still there."""


class LakeHistoryBroken(Exception):
    """The table holds rows, but its history does not say which part of the log they are."""

    def __init__(self, table: str, snapshot_id: int, why: str) -> None:
        super().__init__(
            f"{table}, snapshot {snapshot_id}: {why}. Restore the table's history, or land into a new table."
        )
        self.table, self.snapshot_id = table, snapshot_id


@dataclass(frozen=True)
class LandedDay:
    """Usable records of one day and partition in one landing, duplicates included."""

    day: date
    partition: int
    records: int
    first_offset: int
    last_offset: int


@dataclass(frozen=True)
class LandedRange:
    """A range of a topic's log, as one landing brought it into the lake."""

    topic: str
    topic_id: str
    epoch: int
    start: Mapping[int, int]
    """Partition -> first offset. All partitions of the topic are named, also empty ones."""
    end: Mapping[int, int]
    """Partition -> offset after the last."""
    taken_at: datetime
    """All that was appended before is below `end`, or below a range that an earlier landing brought."""
    append_times: Mapping[int, int]
    """Partition -> append time of the last record below `end`, in ms; a partition without records is absent."""
    records: int
    """Records read: those that can be used and those that cannot."""
    dead_letters: int
    days: tuple[LandedDay, ...]
    lost: Mapping[int, int]
    """Partition -> first offset that Kafka still had, where the range begins with records that had expired."""

    def to_json(self) -> str:
        """The landing as the value of the snapshot property."""
        days = [
            [day.day.isoformat(), day.partition, day.records, day.first_offset, day.last_offset] for day in self.days
        ]
        return json.dumps({**vars(self), "taken_at": self.taken_at.isoformat(), "days": days}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> LandedRange:
        """The landing that `to_json` wrote."""
        raw: dict[str, Any] = json.loads(text)
        raw["days"] = tuple(LandedDay(date.fromisoformat(row[0]), *row[1:]) for row in raw["days"])
        raw["taken_at"] = datetime.fromisoformat(raw["taken_at"])
        raw |= {name: _by_partition(raw[name]) for name in ("start", "end", "append_times", "lost")}
        return cls(**raw)


@dataclass(frozen=True)
class Commit:
    """A landed range and the snapshot that committed it."""

    snapshot_id: int
    sequence: int
    """Iceberg's sequence number: grows with every commit to the table."""
    landed: LandedRange

    @property
    def landing(self) -> Landing:
        """The commit as the rule of coverage sees it."""
        one = self.landed
        return Landing(self.snapshot_id, self.sequence, one.epoch, one.start, one.end, one.taken_at)


def commits(table: Table, snapshot_id: int | None = None) -> list[Commit]:
    """The landings among the ancestors of a snapshot (the current one if none is given), oldest first.

    Of ancestors that expired, what maintenance kept. Raises `LakeHistoryBroken` if the table holds rows and no landing,
    or if an ancestor is no longer known and was not kept.
    """
    head = table.current_snapshot() if snapshot_id is None else table.snapshot_by_id(snapshot_id)
    if head is None:
        return []
    ancestors = _ancestors(table, head)
    kept = _kept(table, ancestors[-1])
    found = [_commit(snapshot) for snapshot in reversed(ancestors) if LANDING in properties_of(snapshot)]
    if not kept and not found and int(properties_of(head).get("total-records", "0")):
        raise LakeHistoryBroken(_name(table), head.snapshot_id, "rows without any landing")
    return [*kept, *found]


def properties_of(snapshot: Snapshot) -> Mapping[str, str]:
    """What the commit said of itself."""
    return snapshot.summary.additional_properties if snapshot.summary else {}


def _commit(snapshot: Snapshot) -> Commit:
    landed = LandedRange.from_json(properties_of(snapshot)[LANDING])
    return Commit(snapshot.snapshot_id, snapshot.sequence_number or 0, landed)


def _kept(table: Table, oldest: Snapshot) -> list[Commit]:
    """What the snapshots before the oldest that is known had landed. The first of a table has the number 1."""
    text = table.properties.get(f"{PIECE}{oldest.snapshot_id}")
    if text is not None:
        return [Commit(one, number, LandedRange.from_json(json.dumps(raw))) for one, number, raw in json.loads(text)]
    if (oldest.sequence_number or 0) > 1:
        why = "snapshots before it expired, and what they had landed was not kept"
        raise LakeHistoryBroken(_name(table), oldest.snapshot_id, why)
    return []


def _ancestors(table: Table, head: Snapshot) -> list[Snapshot]:
    """The snapshots from this one back to the first that is known."""
    known = {snapshot.snapshot_id: snapshot for snapshot in table.snapshots()}
    found = [head]
    while (parent := found[-1].parent_snapshot_id) is not None and parent in known:
        found.append(known[parent])
    return found


def _by_partition(raw: Mapping[str, int]) -> dict[int, int]:
    return {int(partition): value for partition, value in raw.items()}


def _name(table: Table) -> str:
    return ".".join(table.name())
