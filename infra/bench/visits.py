"""Events of a made-up shop, drawn in bulk from a seed: the same numbers give the same events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from schemas.frames import EVENT_COLUMNS, GROUP, ORDER_COLUMNS
from schemas.lateness import start_of

PARTITIONS = 24
_KINDS = ("page_view", "click", "add_to_cart", "purchase", "search")
_SHARES = (0.6, 0.2, 0.08, 0.03, 0.09)
_DEVICES = {"web": "desktop", "ios": "mobile", "android": "mobile"}
_PRODUCTS = 2_000
_USERS = 60_000
_SIGNED_IN = 0.4
_MOST_EVENTS = 9
_DAY_S = 86_400
_NOON = timedelta(hours=12)
_NO_MAP = pl.lit([], dtype=EVENT_COLUMNS["properties"])


@dataclass
class Shop:
    """Draws days of visits and gives their events places in the log, from where the last ones ended."""

    seed: int
    prefix: str = ""
    """What its session ids begin with."""

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self.ends = dict.fromkeys(range(PARTITIONS), 0)
        self._made = 0
        """Partition -> offset at which the next event is appended."""

    def day(self, day: date, sessions: int) -> pl.DataFrame:
        """`EVENT_COLUMNS` of that many sessions, none of which crosses midnight, appended as they happen."""
        visits = self._visits(day, sessions)
        events = visits.select(pl.all().repeat_by("n").explode()).with_columns(
            number=pl.int_range(pl.len()).over("session_id")
        )
        gaps = pl.Series(self._rng.integers(2_000, 200_000, events.height))
        events = events.with_columns(gap=gaps).with_columns(
            event_time=pl.col("start") + pl.duration(milliseconds=pl.col("gap").cum_sum().over("session_id"))
        )
        return self._appended(self._described(events), pl.col("event_time") + timedelta(seconds=1))

    def late(self, events: pl.DataFrame, share: float, appended: date) -> pl.DataFrame:
        """One more event for a share of the sessions, minutes after their last one but appended on a later day."""
        last = events.group_by(GROUP, maintain_order=True).last()
        chosen = last.sample(fraction=share, seed=self.seed)
        more = chosen.select(*EVENT_COLUMNS).with_columns(
            event_time=pl.col("event_time") + timedelta(minutes=3),
            event_id=pl.col("event_id") + "-late",
            event_type=pl.lit("page_view"),
        )
        return self._appended(more, pl.lit(start_of(appended) + _NOON).dt.cast_time_unit("ms"))

    def orders(self, events: pl.DataFrame) -> pl.DataFrame:
        """`ORDER_COLUMNS`: an order for each purchase event, at the same time and place of another log."""
        bought = events.filter(pl.col("event_type") == "purchase")
        amounts = pl.Series(self._rng.integers(500, 50_000, bought.height), dtype=pl.Int64)
        return bought.select(
            "tenant_id",
            transaction_id=pl.col("event_id"),
            user_id=pl.coalesce("user_id", "session_id"),
            status=pl.lit("completed"),
            order_time=pl.col("event_time"),
            currency=pl.lit("EUR"),
            amount_minor=amounts,
            payment_method=pl.lit("card"),
            items=pl.lit([], dtype=ORDER_COLUMNS["items"]),
            schema_id=pl.col("schema_id"),
            log_epoch=pl.col("log_epoch"),
            log_partition=pl.col("log_partition"),
            log_offset=pl.col("log_offset"),
            append_time=pl.col("append_time"),
        ).select(*ORDER_COLUMNS)

    def _visits(self, day: date, sessions: int) -> pl.DataFrame:
        rng = self._rng
        users = rng.integers(0, _USERS, sessions)
        signed_in = rng.random(sessions) < _SIGNED_IN
        return pl.DataFrame(
            {
                "session_id": [f"{self.prefix}{day:%m%d}-{number:07d}" for number in self._numbers(sessions)],
                "user_id": [f"u{user}" if known else None for user, known in zip(users, signed_in, strict=True)],
                "platform": rng.choice(list(_DEVICES), sessions),
                "log_partition": rng.integers(0, PARTITIONS, sessions).astype(np.int32),
                "second": rng.integers(0, _DAY_S - 2_000, sessions),
                "n": rng.integers(1, _MOST_EVENTS + 1, sessions),
            }
        ).with_columns(start=pl.lit(start_of(day)).dt.cast_time_unit("ms") + pl.duration(seconds=pl.col("second")))

    def _numbers(self, sessions: int) -> range:
        """Numbers of the sessions of a day: from 0, unless the shop tells its ids apart from those of others."""
        first = self._made if self.prefix else 0
        self._made += sessions
        return range(first, first + sessions)

    def _described(self, events: pl.DataFrame) -> pl.DataFrame:
        size = events.height
        products = np.minimum(self._rng.zipf(1.3, size), _PRODUCTS)
        return events.with_columns(
            tenant_id=pl.lit("default"),
            event_id=pl.col("session_id") + "-" + pl.col("number").cast(pl.String),
            event_type=pl.Series(self._rng.choice(_KINDS, size, p=_SHARES)),
            product_id=pl.Series([f"p{product}" for product in products]),
            page=pl.Series([f"/product/{product}" for product in products]),
            search_query=pl.lit(None, dtype=pl.String),
            user_agent=pl.lit("Mozilla/5.0"),
            device_class=pl.col("platform").replace_strict(_DEVICES),
            browser=pl.lit("Firefox"),
            os=pl.lit("Linux"),
            ip=pl.lit("203.0.113.0"),
            country=pl.lit("DE"),
            referrer=pl.lit(None, dtype=pl.String),
            properties=_NO_MAP,
            experiments=_NO_MAP,
            schema_id=pl.lit(1, dtype=pl.Int32),
            log_epoch=pl.lit(1, dtype=pl.Int32),
        )

    def _appended(self, events: pl.DataFrame, at: pl.Expr) -> pl.DataFrame:
        """The events at the end of the log, partition by partition in the order of their append times."""
        start = pl.col("log_partition").replace_strict(self.ends, return_dtype=pl.Int64)
        placed = events.with_columns(append_time=at).sort("append_time", maintain_order=True)
        placed = placed.with_columns(log_offset=start + pl.int_range(pl.len()).over("log_partition"))
        for partition, count in placed.group_by("log_partition").len().iter_rows():
            self.ends[partition] += count
        return placed.select(pl.col(name).cast(dtype) for name, dtype in EVENT_COLUMNS.items())
