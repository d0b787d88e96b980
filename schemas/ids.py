"""Ids as octets of one width: taken, joined and put in order by whole columns, without a text for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.distinct import Ints

WORD = 8
Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Ids:
    """`words`: a row for each id, its UTF-8 with zeros behind the end; `lengths` in octets."""

    words: Words
    lengths: Ints

    def __len__(self) -> int:
        return len(self.lengths)

    @staticmethod
    def of(texts: pl.Series) -> Ids:
        """The ids that are these texts, of which none is null."""
        column = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = column.buffers()
        ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(texts) + 1]
        lengths = np.diff(ends)
        octets = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] if len(texts) and data else np.zeros(0, np.uint8)
        width = max(1, -(-int(lengths.max(initial=0)) // WORD))
        table = np.zeros((len(texts), WORD * width), np.uint8)
        same = int(lengths[0]) if len(texts) and (lengths == lengths[0]).all() else None
        if same is not None:
            table[:, :same] = octets.reshape(-1, same) if same else 0
        else:
            table[np.arange(WORD * width) < lengths[:, None]] = octets
        return Ids(table.view(np.uint64), lengths)

    @staticmethod
    def joined(parts: Sequence[Ids]) -> Ids:
        """One after the other."""
        width = max(part.words.shape[1] for part in parts)
        words = np.zeros((sum(map(len, parts)), width), np.uint64)
        at = 0
        for part in parts:
            words[at : at + len(part), : part.words.shape[1]] = part.words
            at += len(part)
        return Ids(words, np.concatenate([part.lengths for part in parts]))

    def take(self, rows: Ints) -> Ids:
        """The ids of some rows."""
        return Ids(self.words[rows], self.lengths[rows])

    def order(self) -> Ints:
        """The rows in the order of the texts by their UTF-8, which is that of polars."""
        octets = np.ascontiguousarray(self.words).view(f"S{WORD * self.words.shape[1]}").ravel()
        # The library takes zeros at the end for padding.
        return np.lexsort((self.lengths, octets))
