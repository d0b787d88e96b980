"""A store of the size that the latency targets speak of, filled by the code that fills real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from batch.coverage import Coverage
from batch.fold import event_tables, fold_events, order_tables
from batch.publish import Candidate, load, publish
from batch.results import RESULT_TABLES
from infra.bench.visits import Shop
from infra.clients.clickhouse import Client, insert
from schemas.frames import GROUP, utc_day
from schemas.lateness import Horizon
from schemas.sessions import SessionRules
from schemas.tables.lake import to_arrow
from streams.popularity import count_windows
from streams.progress import PROGRESS_COLUMNS
from streams.sessions import STATE_COLUMNS, SessionMemory, apply

RULES = SessionRules()
HORIZON = Horizon()
LANDED = time(2, 0)
"""When, on the day after, a day is landed and published."""
_NO_REACH = pl.DataFrame(schema={"log_partition": pl.Int32, "event_days": pl.List(pl.Date), "last_offset": pl.Int64})


@dataclass(frozen=True)
class Size:
    """How much there is: closed days and their sessions, the open day's sessions, the share of late groups."""

    closed_days: int = 30
    closed_sessions: int = 1_000_000
    open_sessions: int = 200_000
    late_share: float = 0.01

    @property
    def hot_days(self) -> int:
        """Closed days that still take late events."""
        return min(HORIZON.days, self.closed_days)


def fill(client: Client, size: Size, today: date, seed: int, report: Callable[[str], None]) -> None:
    """Fills an empty store. Late events touch the hot days alone: those of days past their horizon are cold."""
    shop = Shop(seed)
    hot = {}
    for number in range(size.closed_days, 0, -1):
        day = today - timedelta(days=number)
        events = shop.day(day, size.closed_sessions // size.closed_days)
        _publish(client, shop, day, events, sealed=number > size.hot_days)
        if number <= size.hot_days:
            hot[day] = events
            _apply(client, events.clear(), events)
        report(f"{day} is published with {events.height} events")
    share = size.late_share * size.closed_days / max(1, size.hot_days)
    for events in hot.values():
        late = shop.late(events, share, today)
        _apply(client, events.join(late, on=GROUP, how="semi"), late)
    events = shop.day(today, size.open_sessions)
    _apply(client, events.clear(), events)
    insert(client, "orders_speed", _with_day(shop.orders(events), "order_time"))
    insert(client, "speed_progress", _progress(shop, today))
    report(f"{today} is open with {events.height} events")


def _publish(client: Client, shop: Shop, day: date, events: pl.DataFrame, *, sealed: bool) -> None:
    taken_at = datetime.combine(day + timedelta(days=1), LANDED, UTC)
    coverage = Coverage(1, dict(shop.ends), taken_at)
    horizon = Horizon(0) if sealed else HORIZON
    used, folded = fold_events(events, RULES)
    tables = {"events": event_tables(used, folded, [day]), "orders": order_tables(shop.orders(events), [day])}
    version = (day.toordinal() << 16) | 1
    for dataset, rows in tables.items():
        for table, frame in rows.items():
            load(client, table, [to_arrow(frame, RESULT_TABLES[table])], version)
        candidate = Candidate(
            dataset, frozenset([day]), version, day.toordinal(), coverage, RULES.definition, _NO_REACH
        )
        publish(client, candidate, f"{dataset}-{day}", horizon, taken_at)


def _apply(client: Client, known: pl.DataFrame, new: pl.DataFrame) -> None:
    """What the speed layer writes of new events, of whose groups `known` is all that there was before."""
    stored = known.select(*STATE_COLUMNS)
    change = apply(
        SessionMemory(),
        new,
        lambda groups: stored.join(groups, on=GROUP, how="semi"),
        RULES,
        timedelta(days=HORIZON.days),
    )
    insert(client, "events_speed", _with_day(change.used, "event_time"))
    insert(client, "speed_sessions", change.rows)
    insert(client, "speed_products", count_windows(change.used)[0])


def write_live(client: Client, events: pl.DataFrame) -> None:
    """Writes whole new sessions as the speed layer does; their places in the log are of partitions nobody reads."""
    _apply(client, events.clear(), events)


def _with_day(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.with_columns(day=utc_day(column))


def _progress(shop: Shop, today: date) -> pl.DataFrame:
    now = datetime.combine(today, time(23, 59), UTC)
    rows = [
        {
            "topic": topic,
            "log_epoch": 1,
            "log_partition": partition,
            "applied": end,
            "complete_from": 0,
            "hole_until": date(1970, 1, 1),
            "watermark": now,
            "append_time": now,
        }
        for topic in ("user-events", "transactions")
        for partition, end in shop.ends.items()
    ]
    return pl.DataFrame(rows, schema=PROGRESS_COLUMNS)
