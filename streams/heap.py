"""Runs of words, one of each owner, in segments that are filled one after the other.

Written anew, a run leaves garbage where it was. Where that is more than a fifth, what lives in the segment with most of
it moves on: so the cost follows what is written, and no more than one segment is there twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.distinct import Flags, Ints, ends
from schemas.ids import Words

BLOCK = 4
"""Words of a block: what is read and written as one. Runs are of whole blocks."""
_BLOCK_TYPE = np.dtype(f"V{8 * BLOCK}")
_SEGMENT = 1 << 19
"""Blocks of a segment (16 MiB)."""
_SPARE = 2
"""Segments that are kept when they are empty: memory that is new costs more than what is written to it."""
_NONE = np.zeros(0, _BLOCK_TYPE)
_PLACE_BITS = 32
_PLACE = (1 << _PLACE_BITS) - 1
_TAKEN_OF_LIVE = 1.25


@dataclass(frozen=True)
class Run:
    """Runs end to end: `owners`, the words at which each `begins`, and how many `rows` it has."""

    owners: Ints
    words: Words
    begins: Ints
    rows: Ints


class Heap:
    """Owner (a number from 0) -> the run that was written last, and of how many rows it is."""

    def __init__(self, segment: int = _SEGMENT) -> None:
        self._size = segment
        self._segments: list[np.ndarray] = []
        self._spare: list[np.ndarray] = []
        self._filled: list[int] = []
        self._live = np.zeros(0, np.int64)
        self._current = self._open(segment)
        self._place = np.full(1 << 10, -1, np.int64)
        self._blocks, self._rows = np.zeros(1 << 10, np.int32), np.zeros(1 << 10, np.int32)

    @property
    def rows(self) -> int:
        """Rows of all runs."""
        return int(self._rows.sum())

    @property
    def bytes(self) -> int:
        """Memory taken."""
        of_owners = self._place.nbytes + self._blocks.nbytes + self._rows.nbytes
        return of_owners + sum(each.nbytes for each in (*self._segments, *self._spare))

    def owners(self) -> Ints:
        """Who has a run, in the order in which they lie."""
        owners = np.flatnonzero(self._blocks)
        return owners[np.argsort(self._place[owners])]

    def read(self, owners: Ints) -> Run:
        """The runs of those of these owners, which differ, that have one; in the order in which they lie."""
        owners = owners[owners < len(self._place)]
        owners = owners[self._blocks[owners] > 0]
        owners = owners[np.argsort(self._place[owners])]
        sizes = self._blocks[owners].astype(np.int64)
        words = self._taken(self._place[owners], sizes).view(np.uint64)
        return Run(owners, words, BLOCK * (np.cumsum(sizes) - sizes), self._rows[owners].astype(np.int64))

    def write(self, run: Run) -> None:
        """Puts runs in the place of those of the same owners, which differ."""
        if not len(run.owners):
            return
        self._reserve(int(run.owners.max()) + 1)
        self._drop(run.owners)
        sizes = np.diff(np.append(run.begins, len(run.words))) // BLOCK
        self._put(run.owners, run.words.view(_BLOCK_TYPE), sizes)
        self._rows[run.owners] = run.rows
        self._clean()

    def keep(self, owner_kept: Flags) -> None:
        """Drops owners; the others are numbered anew, in their order."""
        self._reserve(len(owner_kept))
        self._drop(np.flatnonzero(~owner_kept))
        kept = np.flatnonzero(owner_kept)
        place, blocks, rows = self._place[kept], self._blocks[kept], self._rows[kept]
        self._place, self._blocks, self._rows = place, blocks, rows
        self._reserve(1 << 10)
        self._clean()

    def _taken(self, place: Ints, sizes: Ints) -> np.ndarray:
        """The blocks from each of these places on, which ascend."""
        found, at = np.empty(int(sizes.sum()), _BLOCK_TYPE), 0
        number = place >> _PLACE_BITS
        upto = np.flatnonzero(ends(number)) + 1
        for start, end in zip(np.append(0, upto).tolist(), upto.tolist(), strict=False):
            rows = ramp(place[start:end] & _PLACE, sizes[start:end])
            self._segments[int(number[start])].take(rows, out=found[at : at + len(rows)], mode="clip")
            at += len(rows)
        return found

    def _drop(self, owners: Ints) -> None:
        """What these owners have is garbage."""
        had = owners[self._blocks[owners] > 0]
        np.subtract.at(self._live, self._place[had] >> _PLACE_BITS, self._blocks[had])
        self._place[had], self._blocks[had], self._rows[had] = -1, 0, 0

    def _put(self, owners: Ints, blocks: np.ndarray, sizes: Ints) -> None:
        """Appends the owners' blocks, as many as fit to each segment."""
        stops, done = np.cumsum(sizes), 0
        while done < len(owners):
            before, filled = int(stops[done - 1]) if done else 0, self._filled[self._current]
            room = len(self._segments[self._current]) - filled
            upto = int(np.searchsorted(stops, before + room, side="right"))
            if upto == done:
                self._current = self._open(max(self._size, int(sizes[done])))
                continue
            last = int(stops[upto - 1])
            self._segments[self._current][filled : filled + last - before] = blocks[before:last]
            starts = stops[done:upto] - sizes[done:upto] - before + filled
            self._place[owners[done:upto]] = self._current << _PLACE_BITS | starts
            self._filled[self._current] += last - before
            self._live[self._current] += last - before
            done = upto
        self._blocks[owners] = sizes

    def _clean(self) -> None:
        """Moves what lives out of the segments with the most garbage, until there is little."""
        while sum(self._filled) > _TAKEN_OF_LIVE * self._live.sum() + self._size:
            garbage = np.array(self._filled) - self._live
            garbage[self._current] = -1
            self._move_out(int(garbage.argmax()))

    def _move_out(self, number: int) -> None:
        owners = np.flatnonzero(self._place >> _PLACE_BITS == number)
        owners = owners[np.argsort(self._place[owners])]
        sizes = self._blocks[owners].astype(np.int64)
        blocks = self._taken(self._place[owners], sizes)
        segment = self._segments[number]
        self._segments[number], self._filled[number], self._live[number] = _NONE, 0, 0
        if len(segment) == self._size and len(self._spare) < _SPARE:
            self._spare.append(segment)
        self._put(owners, blocks, sizes)

    def _open(self, blocks: int) -> int:
        """A segment to fill."""
        segment = self._spare.pop() if self._spare and blocks == self._size else np.empty(blocks, _BLOCK_TYPE)
        free = [number for number, each in enumerate(self._segments) if not len(each)]
        if free:
            self._segments[free[0]] = segment
            return free[0]
        self._segments.append(segment)
        self._filled.append(0)
        self._live = np.append(self._live, 0)
        return len(self._segments) - 1

    def _reserve(self, owners: int) -> None:
        size = max(1 << 10, len(self._place))
        while size < owners:
            size *= 2
        more = size - len(self._place)
        if more:
            self._place = np.append(self._place, np.full(more, -1, np.int64))
            none = np.zeros(more, np.int32)
            self._blocks, self._rows = np.append(self._blocks, none), np.append(self._rows, none)


def ramp(first: Ints, lengths: Ints) -> Ints:
    """Numbers that count up from each of the first ones, so many times."""
    return np.repeat(first - (np.cumsum(lengths) - lengths), lengths) + np.arange(int(lengths.sum()))
