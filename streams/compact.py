"""Frames that stay in memory, without what they were cut from."""

from __future__ import annotations

import polars as pl


def compact(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows, of which every text has memory of its own.

    Texts of a frame are views: one that stays keeps all that was read together with it.
    """
    copied = pl.from_arrow(rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()))
    if not isinstance(copied, pl.DataFrame):
        raise TypeError(type(copied))
    return copied
