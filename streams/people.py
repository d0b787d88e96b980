"""What is known of people: the stored rows of a user, asked of the store once, and not at all for who is surely new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from schemas.anomalies.addresses import PERSON
from schemas.distinct import distinct
from streams.index import Index
from streams.keys import joined, take, within
from streams.known import Known, entity_hash
from streams.runs import OWNER, Runs
from streams.seen import numbered
from streams.table import Keys, Words

_FILTER_BITS = 26
_MOST_ROWS = 1_000_000


@dataclass(frozen=True)
class Told:
    """`rows` are all that is known of the users at hand, the new rows included; the rest is for the memory."""

    rows: pl.DataFrame
    owned: pl.DataFrame
    strangers: Keys
    hashes: Words


class People:
    """Rows of users (`columns`, told apart by `identity`). A user is in memory whole or not at all.

    Over `most` rows all users leave the memory; they are asked for again when they come back.
    """

    def __init__(self, columns: dict[str, pl.DataType], identity: Sequence[str], most: int = _MOST_ROWS) -> None:
        self._columns, self._identity, self._most = columns, identity, most
        self.forget()

    def forget(self) -> None:
        """Drops everything, also whom the store knows."""
        self.known = Known(_FILTER_BITS)
        self._forget_rows()

    def tell(self, new: pl.DataFrame, fetch: Callable[[pl.DataFrame], pl.DataFrame]) -> Told:
        """All rows of the users of `new`; `fetch` brings all stored rows of users (`PERSON`).

        Nothing changes: `take_in` what is told when all is written.
        """
        new = new.select(*self._columns)
        keys = _keys(new)
        owner = self._users.find(keys)
        unknown = np.flatnonzero(owner < 0)
        strangers = new.select(PERSON)[pl.Series(unknown)]
        hashes = entity_hash(strangers["tenant_id"], strangers["user_id"])
        stored = strangers.filter(pl.Series(self.known.may_hold(hashes)))
        fetched = fetch(stored) if stored.height else new.clear()
        names = joined(take(keys, unknown), _keys(fetched))
        number, first = numbered(names)
        number += len(self._users)
        owner[unknown] = number[: len(unknown)]
        parts = [
            self._rows.read(distinct(owner[owner < len(self._users)])),
            _owned(fetched, number[len(unknown) :]),
            _owned(new, owner),
        ]
        owned = pl.concat(parts).unique(self._identity, keep="any").sort(OWNER)
        return Told(owned.drop(OWNER), owned, take(names, first), hashes)

    def take_in(self, told: Told) -> None:
        """Remembers what a written tick told."""
        count = len(self._users)
        self._users.add(told.strangers, np.arange(count, count + len(told.strangers[0])))
        self._rows.write(told.owned)
        self.known.add(told.hashes)
        if self._rows.rows > self._most:
            self._forget_rows()

    def _forget_rows(self) -> None:
        self._users, self._rows = Index(), Runs({OWNER: pl.Int64(), **self._columns})


def _keys(rows: pl.DataFrame) -> Keys:
    none = np.zeros(rows.height, np.uint64)
    return within((none, none), rows, PERSON)


def _owned(rows: pl.DataFrame, owner: np.ndarray) -> pl.DataFrame:
    return rows.select(pl.Series(OWNER, owner, pl.Int64), pl.all())
