"""Which entities the store may hold records of: what is surely new needs no reading back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.table import Words

_FACTOR = np.uint64(0xC6A4A7935BD1E995)
_SHIFT = np.uint64(47)
_SEPARATOR = "\0"

HASH_SQL = "murmurHash2_64(concat({tenant}, '\\0', {entity}))"
"""The hash below, as ClickHouse computes it."""


def entity_hash(tenant: pl.Series, entity: pl.Series) -> Words:
    """MurmurHash64A of tenant and entity, equal to `HASH_SQL`."""
    text = pl.select(pl.concat_str(tenant, pl.lit(_SEPARATOR), entity)).to_series()
    lengths = text.str.len_bytes().cast(pl.UInt64).to_numpy()
    words = _words(text, lengths)
    state = lengths * _FACTOR
    whole = lengths // np.uint64(8)
    for number in range(words.shape[1]):
        mixed = words[:, number] * _FACTOR
        mixed = (mixed ^ (mixed >> _SHIFT)) * _FACTOR
        # A word that the text does not fill is its tail.
        step = np.where(whole > number, (state ^ mixed) * _FACTOR, (state ^ words[:, number]) * _FACTOR)
        state = np.where(lengths > np.uint64(8 * number), step, state)
    state = (state ^ (state >> _SHIFT)) * _FACTOR
    return state ^ (state >> _SHIFT)


def _words(text: pl.Series, lengths: Words) -> Words:
    """Each text as little-endian words, with zeros behind its end."""
    width = -(-int(lengths.max(initial=1)) // 8) * 8
    octets = np.zeros((len(text), width), np.uint8)
    data = np.frombuffer("".join(text.to_list()).encode(), np.uint8)
    octets[np.arange(width) < lengths[:, None]] = data
    return octets.view("<u8")


class Known:
    """A Bloom filter that never forgets: says "surely new", or "perhaps stored"."""

    def __init__(self, bits: int) -> None:
        self._bits = np.uint64(bits)
        self._octets = np.zeros(1 << (bits - 3), np.uint8)

    def add(self, hashes: Words) -> None:
        """From now on these are perhaps stored."""
        for octet, bit in self._places(hashes):
            np.bitwise_or.at(self._octets, octet, bit)

    def may_hold(self, hashes: Words) -> npt.NDArray[np.bool_]:
        """False where the entity was surely never added."""
        first, second = (self._octets[octet] & bit != 0 for octet, bit in self._places(hashes))
        answer: npt.NDArray[np.bool_] = first & second
        return answer

    def _places(self, hashes: Words) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]]:
        mask = np.uint64((1 << int(self._bits)) - 1)
        return [
            ((place >> np.uint64(3)).astype(np.int64), np.uint8(1) << (place & np.uint64(7)).astype(np.uint8))
            for place in (hashes & mask, hashes >> (np.uint64(64) - self._bits))
        ]
