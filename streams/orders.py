"""Order facts of the speed layer: new facts and repeated ones told apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from schemas.frames import ORDER_COLUMNS
from schemas.orders import SAME_FACT
from streams.seen import Identity, News, Seen

STATE_COLUMNS = {column: ORDER_COLUMNS[column] for column in (*SAME_FACT, "log_offset")}
"""What tells a repeated fact."""

ORDER_IDENTITY = Identity("transaction_id", ("status", "order_time"), STATE_COLUMNS, filter_bits=26)


@dataclass(frozen=True)
class OrderChange:
    """`used` and `duplicates` (with `first_offset`) split the new facts (`ORDER_COLUMNS`); `news` is for the memory."""

    used: pl.DataFrame
    duplicates: pl.DataFrame
    news: News


def apply(memory: Seen, new: pl.DataFrame, fetch: Callable[[pl.DataFrame], pl.DataFrame]) -> OrderChange:
    """Judges new facts (`ORDER_COLUMNS`); `fetch` brings the stored facts of transactions."""
    judged = memory.judge(new, fetch)
    used = pl.Series(judged.used)
    marked = new.with_columns(pl.Series("first_offset", judged.first_offset))
    return OrderChange(new.filter(used), marked.filter(~used), judged.news)
