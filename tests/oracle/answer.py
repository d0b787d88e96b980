"""The one answer: the fold of all records below a limit, slow and obvious."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from tests.oracle.figures import (
    DailyMetrics,
    DailyRevenue,
    ProductDay,
    ProductWindow,
    TenantDay,
    TenantDayCurrency,
    daily_metrics,
    daily_revenue,
    product_days,
    product_windows,
)
from tests.oracle.records import (
    TRANSACTIONS,
    USER_EVENTS,
    Event,
    Log,
    LogRecord,
    Order,
    Position,
    event_of,
    order_of,
    utc_day,
)
from tests.oracle.sessions import Session, sessions_of
from tests.oracle.verdicts import Rules, Verdict, horizon_end, judge


@dataclass(frozen=True)
class Account:
    """The accounting law of one log: records = used + duplicates + dead_letters + cold."""

    records: int
    used: int
    duplicates: int
    dead_letters: int
    cold: int


@dataclass(frozen=True)
class Answer:
    """Everything that follows from a set of records; `events` and `orders` hold the cold facts too."""

    verdicts: Mapping[Position, Verdict]
    dead_letters: Mapping[Position, str]
    accounts: Mapping[Log, Account]
    events: tuple[Event, ...]
    orders: tuple[Order, ...]
    sessions: tuple[Session, ...]
    products: Mapping[ProductDay, int]
    windows: Mapping[ProductWindow, int]
    daily_metrics: Mapping[TenantDay, DailyMetrics]
    daily_revenue: Mapping[TenantDayCurrency, DailyRevenue]

    def positions(self, verdict: Verdict) -> set[Position]:
        """Return where the records with this verdict lie."""
        return {position for position, given in self.verdicts.items() if given == verdict}

    def on(self, day: date) -> "Answer":
        """Restrict facts, sessions and figures to one UTC day; verdicts and accounts stay whole."""
        return replace(
            self,
            events=tuple(event for event in self.events if event.day == day),
            orders=tuple(order for order in self.orders if order.day == day),
            sessions=tuple(session for session in self.sessions if session.day == day),
            products={key: count for key, count in self.products.items() if key.day == day},
            windows={key: count for key, count in self.windows.items() if utc_day(key.start_ms) == day},
            daily_metrics={key: row for key, row in self.daily_metrics.items() if key.day == day},
            daily_revenue={key: row for key, row in self.daily_revenue.items() if key.day == day},
        )


def fold(records: Iterable[LogRecord], rules: Rules = Rules()) -> Answer:  # noqa: B008 (frozen)
    """Return the answer over these records, in whatever order they are handed in."""
    judged = judge(records, rules)
    events = tuple(event_of(record) for record in judged.facts if record.topic == USER_EVENTS)
    orders = tuple(order_of(record) for record in judged.facts if record.topic == TRANSACTIONS)
    sessions = tuple(sessions_of(events, rules))
    return Answer(
        verdicts=judged.verdicts,
        dead_letters=judged.reasons,
        accounts=accounts(judged.verdicts),
        events=events,
        orders=orders,
        sessions=sessions,
        products=product_days(events),
        windows=product_windows(events),
        daily_metrics=daily_metrics(events, sessions),
        daily_revenue=daily_revenue(orders),
    )


def accounts(verdicts: Mapping[Position, Verdict]) -> dict[Log, Account]:
    """Count the verdicts of each log."""
    logs = sorted({position.log for position in verdicts})
    counts = Counter((position.log, verdict) for position, verdict in verdicts.items())
    return {
        log: Account(
            records=sum(position.log == log for position in verdicts),
            used=counts[log, "used"],
            duplicates=counts[log, "duplicate"],
            dead_letters=counts[log, "dead_letter"],
            cold=counts[log, "cold"],
        )
        for log in logs
    }


def below(records: Iterable[LogRecord], limit: Mapping[Log, int]) -> list[LogRecord]:
    """Return the records below the limit of their log; of a log without a limit, none."""
    return [record for record in records if record.offset < limit.get(record.log, 0)]


def day_limit(
    records: Iterable[LogRecord], day: date, cut: Mapping[Log, int], applied: Mapping[Log, int], rules: Rules
) -> dict[Log, int]:
    """Return limit_D = max(cut_D, min(applied, F_D)) per log; a log missing from `cut` or `applied` counts as 0."""
    ends = horizon_end(records, day, rules)
    return {
        log: max(cut.get(log, 0), min(applied.get(log, 0), ends.get(log, applied.get(log, 0))))
        for log in {*cut, *applied}
    }


def fold_day(
    records: Iterable[LogRecord],
    day: date,
    cut: Mapping[Log, int],
    applied: Mapping[Log, int],
    rules: Rules = Rules(),  # noqa: B008 (frozen)
) -> Answer:
    """Return the answer for one day as the layers that have read so far must give it."""
    records = list(records)
    return fold(below(records, day_limit(records, day, cut, applied, rules)), rules).on(day)
