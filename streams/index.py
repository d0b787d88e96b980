"""Numbers by key, in hash tables that grow while they are used: no tick pays for all that the memory holds."""

from __future__ import annotations

import numpy as np

from streams.table import Flags, Ints, Keys, Table, entries_of

_MOST_FULL = 0.6
_LEAST = 1 << 12
_MOVED_PER_KEY = 4
"""How many places of the table before are copied for a key that is added: all, long before it has to grow again."""
_READY_FROM = 0.5
_READY_PER_KEY = 20
"""From so full on, how many places of the next table are made ready for a key that is added: all, when it is needed."""
_NO_OWNERS = np.zeros(0, np.int32)


class Index:
    """Key -> a number below 2^48 - 1. With `owners` each key also names an owner, a number, by which keys are dropped.

    When the table is full, one twice as large takes its place. Bit by bit, as keys come, the memory of that is made
    ready before, and what the old one holds moves there afterwards.
    """

    def __init__(self, owners: bool = False) -> None:
        self._with_owners = owners
        self._table, self._used = Table(_LEAST, owners), 0
        self._before: Table | None = None
        self._next: Table | None = None
        self._moved = self._ready = 0

    def __len__(self) -> int:
        return self._used

    @property
    def bytes(self) -> int:
        """Memory taken."""
        return sum(table.bytes for table in (self._table, self._before, self._next) if table is not None)

    def find(self, keys: Keys) -> Ints:
        """The number of each key, -1 where there is none."""
        found = self._table.find(keys)
        if self._before is not None:
            missing = np.flatnonzero(found < 0)
            found[missing] = self._before.find((keys[0][missing], keys[1][missing]))
        return found

    def add(self, keys: Keys, values: Ints, owners: Ints | None = None) -> None:
        """Adds keys that differ and are not there yet."""
        self._move(_MOVED_PER_KEY * len(values))
        self._make_ready(len(values))
        size = _room_for(self._used + len(values), len(self._table))
        if size > len(self._table):
            self._move(len(self._table))
            self._before, self._table, self._moved = self._table, self._larger(size), 0
        self._table.put(entries_of(keys, values), _NO_OWNERS if owners is None else owners.astype(np.int32))
        self._used += len(values)

    def keep(self, owner_kept: Flags) -> None:
        """Drops the keys of owners that are not kept; the others' owners are numbered anew, in their order."""
        self._move(len(self._table))
        self._next = None
        table, renumbered = self._table, (np.cumsum(owner_kept) - 1).astype(np.int32)
        kept = sum(int(owner_kept[owners].sum()) for _, owners in table.taken(0, len(table)))
        self._table, self._used = Table(_room_for(2 * kept, _LEAST), self._with_owners), kept
        for entries, owners in table.taken(0, len(table)):
            rows = owner_kept[owners]
            self._table.put(entries[rows], renumbered[owners[rows]])

    def _move(self, places: int) -> None:
        """Copies what the next places of the table before hold. There it stays, so that what is behind it is found."""
        if self._before is None:
            return
        for entries, owners in self._before.taken(self._moved, self._moved + places):
            self._table.put(entries, owners)
        self._moved += places
        if self._moved >= len(self._before):
            self._before = None

    def _make_ready(self, keys: int) -> None:
        if self._used + keys > _READY_FROM * len(self._table):
            if self._next is None:
                self._next, self._ready = Table(2 * len(self._table), self._with_owners), 0
            self._next.make_ready(self._ready, self._ready + _READY_PER_KEY * keys)
            self._ready += _READY_PER_KEY * keys

    def _larger(self, size: int) -> Table:
        table, self._next = self._next, None
        return table if table is not None and len(table) == size else Table(size, self._with_owners)


class Recent:
    """The last keys that were added, at least half of `most` and at most all of them."""

    def __init__(self, most: int) -> None:
        self._half, self._newer, self._older = most // 2, Index(), Index()

    def holds(self, keys: Keys) -> Flags:
        """Which keys are remembered."""
        answer: Flags = (self._newer.find(keys) >= 0) | (self._older.find(keys) >= 0)
        return answer

    def add(self, keys: Keys) -> None:
        """Adds keys that differ and are not there yet."""
        if len(self._newer) + len(keys[0]) > self._half:
            self._newer, self._older = Index(), self._newer
        self._newer.add(keys, np.zeros(len(keys[0]), np.int64))


def _room_for(keys: int, size: int) -> int:
    """The size of a table with room for so many keys, at least `size`."""
    while keys > _MOST_FULL * size:
        size *= 2
    return size
