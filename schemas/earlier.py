"""What an owner had before: counts and sums of rows that come earlier in the log and in time, without pairing rows.

Pairs would be as many as the square of an owner's rows. Here rows are numbered within their owner by the log, and the
numbers are halved again and again: before row `n` lie whole blocks, one for each bit that `n` has, and of a block whose
rows are in order of time those before a moment are found by search. So the cost is that of sorting, a few times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.distinct import Ints, begins

_BITS = 32


@dataclass(frozen=True)
class Rows:
    """Rows of owners (numbers from 0): where each stands in the log, its time, and what is summed of it."""

    owner: Ints
    offset: Ints
    time: Ints
    amount: Ints


def earlier(rows: Rows, asked: Ints, since: Ints) -> tuple[Ints, Ints]:
    """(count, sum) for each of the rows `asked`, by their numbers: of the rows of its owner with a lesser offset, and a
    time before its own and not before `since`, which is no later."""
    order = np.lexsort((rows.offset, rows.owner))
    number = np.empty(len(order), np.int64)
    number[order] = _within(rows.owner[order])
    moments = np.unique(rows.time)
    key = rows.owner << _BITS | np.searchsorted(moments, rows.time)
    by_time = np.argsort(key, kind="stable")
    ranked = key[by_time]
    bounds = [rows.owner[asked] << _BITS | np.searchsorted(moments, time) for time in (since, rows.time[asked])]
    low, high = (np.searchsorted(ranked, bound) for bound in bounds)
    count, total = np.zeros(len(asked), np.int64), np.zeros(len(asked), np.int64)
    for bit in range(int(number[asked].max(initial=0)).bit_length()):
        whole = np.flatnonzero(number[asked] >> bit & 1)
        blocks = _Blocks(rows, number >> bit, by_time)
        found = [blocks.before(asked[whole], rank[whole]) for rank in (high, low)]
        count[whole] += found[0][0] - found[1][0]
        total[whole] += found[0][1] - found[1][1]
    return count, total


class _Blocks:
    """Rows by owner and block, within which they are in order of time."""

    def __init__(self, rows: Rows, block: Ints, by_time: Ints) -> None:
        of = rows.owner << _BITS | block
        order = by_time[np.argsort(of[by_time], kind="stable")]
        first = begins(of[order])
        rank = np.empty(len(order), np.int64)
        rank[by_time] = np.arange(len(order))
        number = np.cumsum(first) - 1
        self._number = np.empty(len(order), np.int64)
        self._number[order] = number
        self._begins = np.flatnonzero(first)
        self._keys = number << _BITS | rank[order]
        self._sums = np.append(0, np.cumsum(rows.amount[order]))

    def before(self, asked: Ints, rank: Ints) -> tuple[Ints, Ints]:
        """(count, sum) of what lies in the block before that of each row and below a rank in time."""
        block = self._number[asked] - 1
        begin, end = self._begins[block], np.searchsorted(self._keys, block << _BITS | rank)
        return end - begin, self._sums[end] - self._sums[begin]


def _within(ordered: Ints) -> Ints:
    """Each row's number within its run of equal values."""
    first = begins(ordered)
    numbers: Ints = np.arange(len(ordered)) - np.flatnonzero(first)[np.cumsum(first) - 1]
    return numbers
