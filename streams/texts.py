"""Numbers for texts: those that many sessions share are in memory once."""

from __future__ import annotations

import numpy as np
import polars as pl

from streams.compact import compact
from streams.index import Index
from streams.keys import SEEDS, take
from streams.seen import numbered
from streams.table import Flags, Ints, Keys, Words

_CACHE_BITS = 15
_CACHE = np.uint64((1 << _CACHE_BITS) - 1)


class Texts:
    """Text -> its code, from 1; null has 0.

    A text is known by 80 bits of hashes, as what is in an `Index`; most are one of a few that came just before, and are
    found by the 64 bits of one hash.
    """

    def __init__(self) -> None:
        self._index = Index()
        self._parts = [pl.Series([None], dtype=pl.String)]
        self._count = 1
        self._cached = np.zeros(1 << _CACHE_BITS, np.uint64)
        self._cached_codes = np.full(1 << _CACHE_BITS, -1, np.int64)

    def __len__(self) -> int:
        return self._count

    @property
    def bytes(self) -> int:
        """Memory taken, as polars estimates it."""
        return self._index.bytes + sum(int(part.estimated_size()) for part in self._parts)

    def codes(self, texts: pl.Series) -> Ints:
        """The code of each text; what has none yet gets one."""
        first = _hashes(texts, 0)
        place = (first & _CACHE).astype(np.int64)
        codes = self._cached_codes.take(place)
        missed = np.flatnonzero((self._cached.take(place) != first) | (codes < 0))
        if len(missed):
            codes[missed] = self._looked_up(texts.gather(pl.Series(missed)), first[missed])
            self._cached[place[missed]], self._cached_codes[place[missed]] = first[missed], codes[missed]
        return codes

    def _looked_up(self, texts: pl.Series, first: Words) -> Ints:
        keys = (first, _hashes(texts, 1))
        codes = self._index.find(keys)
        codes[texts.is_null().to_numpy()] = 0
        new = np.flatnonzero(codes < 0)
        if len(new):
            number, rows = numbered(take(keys, new))
            codes[new] = self._count + number
            self._add(texts.gather(pl.Series(new[rows])), take(keys, new[rows]))
        return codes

    def texts(self, codes: Ints) -> pl.Series:
        """The text of each code."""
        return self._column.gather(pl.Series(codes))

    def keep(self, kept: Flags) -> Ints:
        """Drops the other texts; what is kept is numbered anew. Says the new code of each old one; 0 is kept."""
        column = self._column.filter(pl.Series(kept))
        self.__init__()  # type: ignore[misc]
        rest = column[1:]
        self._add(rest, (_hashes(rest, 0), _hashes(rest, 1)))
        return np.cumsum(kept) - 1

    def _add(self, texts: pl.Series, keys: Keys) -> None:
        self._index.add(keys, np.arange(self._count, self._count + len(texts)))
        self._count += len(texts)
        self._parts.append(_compact(texts))
        # Each part is over twice the next, so that they are few and each text is copied seldom.
        while len(self._parts) > 1 and len(self._parts[-2]) < 2 * len(self._parts[-1]):
            last = self._parts.pop()
            self._parts[-1] = _compact(pl.concat([self._parts[-1], last]))

    @property
    def _column(self) -> pl.Series:
        return pl.concat(self._parts, rechunk=False)


def _hashes(texts: pl.Series, number: int) -> Words:
    hashes: Words = texts.hash(SEEDS[number]).to_numpy()
    return hashes


def _compact(texts: pl.Series) -> pl.Series:
    return compact(texts.to_frame()).to_series()
