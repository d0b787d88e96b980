"""A hash table of numbers in numpy: looked up and filled by whole columns, at a cost that does not follow its size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Entries = npt.NDArray[np.complex128]
Keys = tuple[Words, Words]
"""Two independent hashes of each key."""

_VALUE_BITS = np.uint64(48)
_VALUE = np.uint64((1 << 48) - 1)
_ENTRY = np.complex128
"""Two words that are moved as one."""
_EMPTY = np.uint64(0)
_ONE = np.uint64(1)
"""Added to the numbers, so that no entry is like an empty one: memory that is new is zeros already."""
_MOST_FULL = 0.6
_LEAST = 1 << 12
_PART = 1 << 14


class Index:
    """Key -> a number below 2^48 - 1. Open addressing; a key is known by 80 bits of its hashes.

    With `owners` each entry also names an owner (a number), by which entries can be dropped.
    """

    def __init__(self, owners: bool = False) -> None:
        self._with_owners = owners
        self._clear(_LEAST)

    def __len__(self) -> int:
        return self._used

    @property
    def bytes(self) -> int:
        """Memory taken."""
        return self._table.nbytes + self._owners.nbytes

    def find(self, keys: Keys) -> Ints:
        """The number of each key, -1 where there is none."""
        first, second = keys
        check = second >> _VALUE_BITS
        found = np.full(len(first), -1, np.int64)
        place = (first & self._mask).astype(np.int64)
        waiting = np.arange(len(first))
        while len(waiting):
            entry = _words(self._table.take(place))
            hit = (entry[:, 0] == first) & (entry[:, 1] >> _VALUE_BITS == check)
            found[waiting[hit]] = ((entry[hit, 1] & _VALUE) - _ONE).astype(np.int64)
            on = np.flatnonzero((entry[:, 1] != _EMPTY) & ~hit)
            waiting, first, check = waiting[on], first[on], check[on]
            place = (place[on] + 1) & int(self._mask)
        return found

    def add(self, keys: Keys, values: Ints, owners: Ints | None = None) -> None:
        """Adds keys that differ and are not there yet."""
        while self._used + len(values) > _MOST_FULL * len(self._table):
            self._grow()
        entries = np.empty((len(values), 2), np.uint64)
        entries[:, 0] = keys[0]
        entries[:, 1] = (keys[1] >> _VALUE_BITS << _VALUE_BITS) | (values.astype(np.uint64) + _ONE)
        self._put(entries.view(_ENTRY).ravel(), np.zeros(0, np.int32) if owners is None else owners.astype(np.int32))
        self._used += len(values)

    def keep(self, owner_kept: npt.NDArray[np.bool_]) -> None:
        """Drops the entries of owners that are not kept; the others' owners are numbered anew, in their order."""
        table, owners = self._table, self._owners
        taken = np.flatnonzero(_words(table)[:, 1] != _EMPTY)
        taken = taken[owner_kept[owners[taken]]]
        renumbered = (np.cumsum(owner_kept) - 1).astype(np.int32)
        self._clear(_room_for(len(taken)))
        for rows in _parts(taken):
            self._put(table[rows], renumbered[owners[rows]])
        self._used = len(taken)

    def _clear(self, size: int) -> None:
        self._table = np.zeros(size, _ENTRY)
        self._owners = np.zeros(size if self._with_owners else 0, np.int32)
        self._mask = np.uint64(size - 1)
        self._used = 0

    def _grow(self) -> None:
        table, owners = self._table, self._owners
        taken = np.flatnonzero(_words(table)[:, 1] != _EMPTY)
        self._clear(2 * len(table))
        for rows in _parts(taken):
            self._put(table[rows], owners[rows] if self._with_owners else owners)
        self._used = len(taken)

    def _put(self, entries: Entries, owners: npt.NDArray[np.int32]) -> None:
        place = (_words(entries)[:, 0] & self._mask).astype(np.int64)
        waiting = np.arange(len(entries))
        while len(waiting):
            free = np.flatnonzero(_words(self._table.take(place))[:, 1] == _EMPTY)
            wanted, candidates = place[free], waiting[free]
            offered = entries.take(candidates)
            self._table[wanted] = offered
            # Of several that wanted one place, the last has got it.
            settled = _words(self._table.take(wanted)) == _words(offered)
            won = settled[:, 0] & settled[:, 1]
            if self._with_owners:
                self._owners[wanted[won]] = owners[candidates[won]]
            left = np.ones(len(waiting), np.bool_)
            left[free[won]] = False
            waiting, place = waiting[left], (place[left] + 1) & int(self._mask)


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


def _words(entries: Entries) -> npt.NDArray[np.uint64]:
    """Entries as pairs of words: a hash, and check bits above the value."""
    return entries.view(np.uint64).reshape(-1, 2)


def _parts(rows: Ints) -> Iterator[Ints]:
    """Rows by the thousands: what is made of so many stays in the processor's cache, and is no new memory."""
    return (rows[at : at + _PART] for at in range(0, len(rows), _PART))


def _room_for(entries: int) -> int:
    size = _LEAST
    while entries > _MOST_FULL * size / 2:
        size *= 2
    return size
