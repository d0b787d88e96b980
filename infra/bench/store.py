"""A store of the size that the latency targets speak of, filled by the code that fills real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from batch.coverage import Coverage
from batch.fold import event_tables, fold_events, order_tables
from batch.publish import Candidate, load, publish
from batch.results import RESULT_TABLES
from infra.bench.moved import Frames, moved
from infra.bench.visits import Shop
from infra.clients.clickhouse import Client, insert
from schemas.frames import GROUP, utc_day
from schemas.lateness import Horizon
from schemas.sessions import SessionRules
from schemas.tables.lake import to_arrow
from streams.popularity import count_windows
from streams.progress import BEGINNING_COLUMNS, PROGRESS_COLUMNS
from streams.sessions import STATE_COLUMNS, SessionMemory, apply

RULES = SessionRules()
HORIZON = Horizon()
LANDED = time(2, 0)
"""When, on the day after, a day is landed and published."""
_NO_REACH = pl.DataFrame(schema={"log_partition": pl.Int32, "event_days": pl.List(pl.Date), "last_offset": pl.Int64})
DATASETS = ("events", "orders")


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

    @property
    def late_share_of_hot(self) -> float:
        """The share of late groups in a day that takes them, so that of all closed days' it is `late_share`."""
        return self.late_share * self.closed_days / max(1, self.hot_days)


def fill(client: Client, size: Size, today: date, seed: int, report: Callable[[str], None]) -> None:
    """Fills an empty store. Late events touch the hot days alone: those of days past their horizon are cold.

    The first closed day is drawn and folded. The others have the same visits, under ids and places of their own.
    """
    shop = Shop(seed)
    days = [today - timedelta(days=number) for number in range(size.closed_days, 0, -1)]
    visits = shop.day(days[0], size.closed_sessions // size.closed_days)
    folded, written, a_day = _folded(shop, visits, days[0]), _applied(visits.clear(), visits), dict(shop.ends)
    sealed, hot = days[: -size.hot_days], days[-size.hot_days :]
    for number, together in enumerate([sealed, *([day] for day in hot)] if sealed else [[day] for day in hot]):
        for day in together:
            load_day(client, moved(folded, days[0], day, a_day), _version(together[-1]))
        shop.ends = {partition: (days.index(together[-1]) + 1) * count for partition, count in a_day.items()}
        _publish(client, together, dict(shop.ends), is_sealed=bool(sealed) and number == 0)
        report(f"{together[0]} to {together[-1]} published, {visits.height} events a day")
    for day in hot:
        write_rows(client, moved(written, days[0], day, a_day))
    for day in hot:
        known = moved({"events": visits}, days[0], day, a_day)["events"]
        late = shop.late(known, size.late_share_of_hot, today)
        write_rows(client, _applied(known.join(late, on=GROUP, how="semi"), late))
    events = shop.day(today, size.open_sessions)
    write_live(client, events)
    insert(client, "orders_speed", _with_day(shop.orders(events), "order_time"))
    progress = _progress(shop, today)
    insert(client, "speed_beginnings", progress.select(BEGINNING_COLUMNS))
    insert(client, "speed_progress", progress)
    report(f"{today} is open with {events.height} events")


def live(events: pl.DataFrame) -> Frames:
    """What the speed layer writes of whole new sessions."""
    return _applied(events.clear(), events)


def write_live(client: Client, events: pl.DataFrame) -> None:
    """Writes whole new sessions as the speed layer does."""
    write_rows(client, live(events))


def load_day(client: Client, rows: Frames, version: int) -> None:
    """Loads the batch rows of a day."""
    for table, frame in rows.items():
        load(client, table, [to_arrow(frame, RESULT_TABLES[table])], version)


def _folded(shop: Shop, events: pl.DataFrame, day: date) -> Frames:
    """What the batch computes of a day: table -> rows."""
    used, sessions = fold_events(events, RULES)
    return {**event_tables(used, sessions, [day]), **order_tables(shop.orders(events), [day])}


def _applied(known: pl.DataFrame, new: pl.DataFrame) -> Frames:
    """What the speed layer writes of new events, of whose groups `known` is all that there was before."""
    stored = known.select(*STATE_COLUMNS)
    change = apply(
        SessionMemory(),
        new,
        lambda groups: stored.join(groups, on=GROUP, how="semi"),
        RULES,
        timedelta(days=HORIZON.days),
    )
    return {
        "events_speed": _with_day(change.used, "event_time"),
        "speed_sessions": change.rows,
        "speed_products": count_windows(change.used)[0],
    }


def write_rows(client: Client, rows: Frames) -> None:
    """Inserts rows of the speed layer."""
    for table, frame in rows.items():
        insert(client, table, frame)


def _publish(client: Client, days: Sequence[date], ends: dict[int, int], *, is_sealed: bool) -> None:
    taken_at = datetime.combine(days[-1] + timedelta(days=1), LANDED, UTC)
    coverage = Coverage(1, ends, taken_at)
    horizon = Horizon(0) if is_sealed else HORIZON
    version, snapshot = _version(days[-1]), days[-1].toordinal()
    for dataset in DATASETS:
        candidate = Candidate(dataset, frozenset(days), version, snapshot, coverage, RULES.definition, _NO_REACH)
        publish(client, candidate, f"{dataset}-{days[-1]}", horizon, taken_at)


def _version(day: date) -> int:
    return (day.toordinal() << 16) | 1


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
