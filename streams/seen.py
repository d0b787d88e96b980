"""Which records are known: groups in memory with the ids of all their records, and what is new told from repeated.

A group is in memory whole or not at all. One that is not, and that the store may hold records of, is read back first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from schemas.distinct import begins, distinct
from streams.column import Column, Columns
from streams.index import Index
from streams.keys import group_keys, joined, take, within
from streams.known import Known, entity_hash
from streams.table import Flags, Ints, Keys, Words


@dataclass(frozen=True)
class Identity:
    """What makes a group besides tenant and place in the log, what tells its records apart, and what is kept of one.

    `filter_bits`: of the filter of stored groups, for some 2^(filter_bits - 5) of them.
    """

    entity: str
    record: tuple[str, ...]
    columns: dict[str, pl.DataType]
    filter_bits: int


@dataclass(frozen=True)
class News:
    """What the memory takes in when a tick is written: groups, numbered on from those in memory, and ids of records."""

    groups: Keys
    partitions: Ints
    ids: Keys
    offsets: Ints
    owners: Ints
    hashes: Words
    touched: Ints


@dataclass(frozen=True)
class Judged:
    """`owner` (the number of its group), `first_offset` and `used` of each new record; and of the groups that were not
    in memory the stored records without duplicates (`fetched`), with their owners."""

    owner: Ints
    first_offset: Ints
    used: Flags
    fetched: pl.DataFrame
    fetched_owner: Ints
    news: News


class Seen:
    """Groups in memory, numbered from 0, and the offsets of their records by id."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.known = Known(identity.filter_bits)
        self._groups, self._ids = Index(), Index(owners=True)
        self._keys = Column(np.uint64), Column(np.uint64)
        self._partition, self._stamp = Column(np.int64), Column(np.int64)
        self._columns = Columns(*self._keys, self._partition, self._stamp)

    def __len__(self) -> int:
        return len(self._partition)

    @property
    def records(self) -> int:
        """Ids in memory."""
        return len(self._ids)

    @property
    def bytes(self) -> int:
        """Memory taken, without the filter of what is stored."""
        return self._groups.bytes + self._ids.bytes + self._columns.bytes

    def judge(self, new: pl.DataFrame, fetch: Callable[[pl.DataFrame], pl.DataFrame]) -> Judged:
        """Tells new records from repeated ones. `fetch` brings all stored records of groups, below the new ones.

        Nothing changes: `take_in` the `news` when all is written.
        """
        keys = group_keys(new, self.identity.entity)
        owner = self._groups.find(keys)
        unknown = np.flatnonzero(owner < 0)
        strangers = new[pl.Series(unknown)]
        hashes = entity_hash(strangers["tenant_id"], strangers[self.identity.entity])
        stored = self.known.may_hold(hashes)
        fetched = fetch(strangers.filter(pl.Series(stored)) if stored.any() else strangers.clear())
        return self._judge(new, keys, owner, unknown, fetched, hashes)

    def judge_stored(self, stored: pl.DataFrame) -> Judged:
        """The same for stored records of whole groups, of which none is in memory."""
        none = np.zeros(0, np.uint64)
        empty = np.zeros(0, np.int64)
        return self._judge(stored.clear(), (none, none), empty, empty, stored, none)

    def _judge(
        self, new: pl.DataFrame, keys: Keys, owner: Ints, unknown: Ints, fetched: pl.DataFrame, hashes: Words
    ) -> Judged:
        stored_keys = group_keys(fetched, self.identity.entity)
        strangers = joined(take(keys, unknown), stored_keys)
        number, begins = numbered(strangers)
        number += len(self)
        owner = owner.copy()
        owner[unknown], fetched_owner = number[: len(unknown)], number[len(unknown) :]
        partitions = np.concatenate([new["log_partition"].to_numpy()[unknown], fetched["log_partition"].to_numpy()])
        ids = joined(within(stored_keys, fetched, self.identity.record), within(keys, new, self.identity.record))
        offsets = np.concatenate([fetched["log_offset"].to_numpy(), new["log_offset"].to_numpy()])
        first = _first_offsets(ids, offsets, self._ids.find(ids))
        used = first == offsets
        split = fetched.height
        news = News(
            groups=take(strangers, begins),
            partitions=partitions[begins],
            ids=take(ids, used),
            offsets=offsets[used],
            owners=np.concatenate([fetched_owner, owner])[used],
            hashes=hashes,
            touched=distinct(owner),
        )
        return Judged(
            owner,
            first[split:],
            used[split:],
            fetched.filter(pl.Series(used[:split])),
            fetched_owner[used[:split]],
            news,
        )

    def take_in(self, news: News, stamp: int) -> None:
        """Remembers what a written tick brought. `stamp` grows with each tick."""
        self._groups.add(news.groups, np.arange(len(self), len(self) + len(news.partitions)))
        self._columns.append(*news.groups, news.partitions, np.full(len(news.partitions), stamp))
        self._stamp.values[news.touched] = stamp
        self._ids.add(news.ids, news.offsets, news.owners)
        self.known.add(news.hashes)

    def has_any(self, partitions: Collection[int]) -> bool:
        """Whether a group lies in one of these partitions."""
        return bool(np.isin(self._partition.values, list(partitions)).any())

    def of_other_partitions(self, partitions: Collection[int]) -> Flags:
        """Which groups do not lie in these partitions."""
        return ~np.isin(self._partition.values, list(partitions))

    def newest(self, groups: int) -> Flags:
        """Which groups to keep, so that about so many remain: those touched last. Equal age stays or goes together."""
        limit = np.sort(self._stamp.values)[-groups - 1] if groups < len(self) else -1
        answer: Flags = self._stamp.values > limit
        return answer

    def keep(self, kept: Flags) -> None:
        """Drops the other groups; those kept are numbered anew, in their order."""
        self._ids.keep(kept)
        self._columns.keep(kept)
        self._groups = Index()
        self._groups.add((self._keys[0].values, self._keys[1].values), np.arange(len(self)))


def numbered(keys: Keys) -> tuple[Ints, Ints]:
    """Numbers from 0 for keys, equal for equal ones, and a row of each number."""
    order = np.lexsort((keys[1], keys[0]))
    first, second = keys[0][order], keys[1][order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(begins) - 1
    return number, order[begins]


def _first_offsets(ids: Keys, offsets: Ints, before: Ints) -> Ints:
    """The lowest offset of each record's id: of one in memory, else among these."""
    first = np.where(before >= 0, before, offsets)
    order = np.argsort(ids[0])
    again = np.flatnonzero(~begins(ids[0][order])) - 1
    if len(again):
        rows = distinct(np.concatenate([order[again], order[again + 1]]))
        number, _ = numbered(take(ids, rows))
        lowest = np.full(number.max() + 1, np.iinfo(np.int64).max)
        np.minimum.at(lowest, number, first[rows])
        first[rows] = lowest[number]
    return first
