"""Which records of a tick count, once each, and what they do to sessions: all other rows are derived from these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from schemas.frames import utc_day
from schemas.sessions import SessionRules
from streams import orders, sessions
from streams.memory import Memory
from streams.records import TRANSACTIONS, USER_EVENTS, Records
from streams.restore import History
from streams.stages import Stages


@dataclass(frozen=True)
class Facts:
    """The events and orders that count, with their rows by table. Cold ones came past the horizon of their day."""

    change: sessions.SessionChange
    orders: orders.OrderChange
    hot_events: pl.DataFrame
    hot_orders: pl.DataFrame
    rows: Mapping[str, pl.DataFrame]


def facts_of(
    records: Records, memory: Memory, history: History, rules: SessionRules, horizon: timedelta, stages: Stages
) -> Facts:
    """Pure but for reading back what the memory does not hold."""
    starts = records.starts
    with stages("sessions"):
        change = sessions.apply(
            memory.sessions,
            records.events,
            lambda groups: history.events(groups, starts(USER_EVENTS)),
            rules,
            horizon,
        )
    with stages("orders"):
        placed = orders.apply(memory.orders, records.orders, lambda found: history.orders(found, starts(TRANSACTIONS)))
    hot_events, cold_events = _by_horizon(change.used, "event_time", horizon)
    hot_orders, cold_orders = _by_horizon(placed.used, "order_time", horizon)
    rows = {
        "events_speed": hot_events.with_columns(day=utc_day("event_time")),
        "events_cold": cold_events.with_columns(day=utc_day("event_time")),
        "orders_speed": hot_orders.with_columns(day=utc_day("order_time")),
        "orders_cold": cold_orders.with_columns(day=utc_day("order_time")),
    }
    return Facts(change, placed, hot_events, hot_orders, rows)


def repeated(facts: Facts) -> pl.DataFrame:
    """Rows of `speed_duplicates`: the records that say again what is known."""
    events = _repeated(facts.change.duplicates, USER_EVENTS, "session_id", "event_id")
    return pl.concat([events, _repeated(facts.orders.duplicates, TRANSACTIONS, "transaction_id", "transaction_id")])


def _by_horizon(facts: pl.DataFrame, time: str, horizon: timedelta) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(hot, cold)."""
    cold = facts.select(utc_day(time) + horizon < utc_day("append_time")).to_series()
    return (facts.filter(~cold), facts.filter(cold)) if cold.any() else (facts, facts.clear())


def _repeated(duplicates: pl.DataFrame, topic: str, entity: str, record: str) -> pl.DataFrame:
    return duplicates.select(
        pl.lit(topic).alias("topic"),
        "log_epoch",
        "log_partition",
        "log_offset",
        "append_time",
        "tenant_id",
        pl.col(entity).alias("entity_id"),
        pl.col(record).alias("record_id"),
        "first_offset",
    )
