"""Hashes by which the memory knows groups and records: two of 64 bits for each, by whole columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from streams.table import Flags, Ints, Keys, Words

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
SEEDS = (1, 2)


def group_keys(frame: pl.DataFrame, entity: str) -> Keys:
    """Keys of tenant, entity, epoch and partition."""
    place = frame["log_epoch"].to_numpy().astype(np.uint64) << np.uint64(32) | frame["log_partition"].to_numpy().astype(
        np.uint64
    )
    entities, tenants = _hashes(frame, (entity, "tenant_id"))
    first, second = (_mix(_mix(one, other), place) for one, other in zip(entities, tenants, strict=True))
    return first, second


def within(groups: Keys, frame: pl.DataFrame, columns: Sequence[str]) -> Keys:
    """Keys of what these columns tell apart within a group."""
    first, second = groups
    for hashes in _hashes(frame, columns):
        first, second = (_mix(key, more) for key, more in zip((first, second), hashes, strict=True))
    return first, second


def _hashes(frame: pl.DataFrame, columns: Sequence[str]) -> list[list[Words]]:
    """The hashes of each column by each seed, in one query: each has a price of its own."""
    wanted = [pl.col(column).hash(seed).alias(f"{column} {seed}") for column in columns for seed in SEEDS]
    found = [column.to_numpy() for column in frame.select(wanted)]
    return [found[at : at + len(SEEDS)] for at in range(0, len(found), len(SEEDS))]


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
