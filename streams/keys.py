"""Hashes by which the memory knows groups and records: two of 64 bits for each, by whole columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from streams.index import Flags, Ints, Keys, Words

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SEEDS = (1, 2)


def group_keys(frame: pl.DataFrame, entity: str) -> Keys:
    """Keys of tenant, entity, epoch and partition."""
    place = frame["log_epoch"].to_numpy().astype(np.uint64) << np.uint64(32) | frame["log_partition"].to_numpy().astype(
        np.uint64
    )
    first, second = (
        _mix(_mix(frame[entity].hash(seed).to_numpy(), frame["tenant_id"].hash(seed).to_numpy()), place)
        for seed in _SEEDS
    )
    return first, second


def within(groups: Keys, frame: pl.DataFrame, columns: Sequence[str]) -> Keys:
    """Keys of what these columns tell apart within a group."""
    first, second = groups
    for column in columns:
        first, second = (
            _mix(key, frame[column].hash(seed).to_numpy()) for key, seed in zip((first, second), _SEEDS, strict=True)
        )
    return first, second


def take(keys: Keys, rows: Ints | Flags) -> Keys:
    """The keys of some rows."""
    return keys[0][rows], keys[1][rows]


def joined(*parts: Keys) -> Keys:
    """The keys of several columns, one after the other."""
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _mix(key: Words, more: Words) -> Words:
    """Both in one word, so that neither the order nor equal parts cancel out."""
    mixed = (key ^ (key >> np.uint64(31))) * _FACTOR + more
    answer: Words = mixed ^ (mixed >> np.uint64(29))
    return answer
