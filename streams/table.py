"""A table of hashed keys in numpy, of a fixed size: looked up and filled by whole columns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Entries = npt.NDArray[np.complex128]
Owners = npt.NDArray[np.int32]
Keys = tuple[Words, Words]
"""Two independent hashes of each key."""

_VALUE_BITS = np.uint64(48)
_VALUE = np.uint64((1 << 48) - 1)
_ENTRY = np.complex128
"""Two words that are moved as one."""
_EMPTY = np.uint64(0)
_ONE = np.uint64(1)
"""Added to the numbers, so that no entry is like an empty one: memory that is new is zeros already."""
_PART = 1 << 14


class Table:
    """Places for entries: a key, known by 80 bits of its hashes, and a number below 2^48 - 1. Open addressing.

    The size is a power of two. With owners each entry also names an owner (a number).
    """

    def __init__(self, size: int, with_owners: bool) -> None:
        self._entries = np.zeros(size, _ENTRY)
        self._owners = np.zeros(size if with_owners else 0, np.int32)
        self._with_owners = with_owners
        self._mask = np.uint64(size - 1)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """Memory taken."""
        return self._entries.nbytes + self._owners.nbytes

    def find(self, keys: Keys) -> Ints:
        """The number of each key, -1 where there is none."""
        first, second = keys
        check = second >> _VALUE_BITS
        found = np.full(len(first), -1, np.int64)
        place = (first & self._mask).astype(np.int64)
        waiting = np.arange(len(first))
        while len(waiting):
            entry = _words(self._entries.take(place))
            hit = (entry[:, 0] == first) & (entry[:, 1] >> _VALUE_BITS == check)
            found[waiting[hit]] = ((entry[hit, 1] & _VALUE) - _ONE).astype(np.int64)
            on = np.flatnonzero((entry[:, 1] != _EMPTY) & ~hit)
            waiting, first, check = waiting[on], first[on], check[on]
            place = (place[on] + 1) & int(self._mask)
        return found

    def put(self, entries: Entries, owners: Owners) -> None:
        """Takes in entries that differ and are not there yet; there must be room for them."""
        place = (_words(entries)[:, 0] & self._mask).astype(np.int64)
        waiting = np.arange(len(entries))
        while len(waiting):
            free = np.flatnonzero(_words(self._entries.take(place))[:, 1] == _EMPTY)
            wanted, candidates = place[free], waiting[free]
            offered = entries.take(candidates)
            self._entries[wanted] = offered
            # Of several that wanted one place, the last has got it.
            settled = _words(self._entries.take(wanted)) == _words(offered)
            won = settled[:, 0] & settled[:, 1]
            if self._with_owners:
                self._owners[wanted[won]] = owners[candidates[won]]
            left = np.ones(len(waiting), np.bool_)
            left[free[won]] = False
            waiting, place = waiting[left], (place[left] + 1) & int(self._mask)

    def make_ready(self, begin: int, end: int) -> None:
        """Has the system hand out the memory of these places, of a table that is still empty.

        It empties large pages then: 160 MB at the first few keys, in a third of a second.
        """
        self._entries[begin:end] = 0
        self._owners[begin:end] = 0

    def taken(self, begin: int, end: int) -> Iterator[tuple[Entries, Owners]]:
        """The entries in these places and their owners, by the thousands: what is made of so many stays in the
        processor's cache, and is no new memory."""
        for at in range(begin, min(end, len(self)), _PART):
            part = slice(at, min(at + _PART, end))
            rows = np.flatnonzero(_words(self._entries[part])[:, 1] != _EMPTY)
            yield self._entries[part][rows], self._owners[part][rows] if self._with_owners else self._owners


def entries_of(keys: Keys, numbers: Ints) -> Entries:
    """Entries for keys and their numbers."""
    entries = np.empty((len(numbers), 2), np.uint64)
    entries[:, 0] = keys[0]
    entries[:, 1] = (keys[1] >> _VALUE_BITS << _VALUE_BITS) | (numbers.astype(np.uint64) + _ONE)
    return entries.view(_ENTRY).ravel()


def _words(entries: Entries) -> npt.NDArray[np.uint64]:
    """Entries as pairs of words: a hash, and check bits above the value."""
    return entries.view(np.uint64).reshape(-1, 2)
