"""The answers of the views, held against the oracle: equal, or an error that names the hole."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from batch.publish import current_publications
from tests.merge.log import LOGS
from tests.merge.store import HoleError, Store
from tests.merge.world import DATASETS, HORIZON, World
from tests.oracle.answer import Answer, below, day_limit, fold
from tests.oracle.figures import product_sales
from tests.oracle.records import Event, Log
from tests.oracle.sessions import Session
from tests.oracle.verdicts import Rules

ORACLE_RULES = Rules(horizon_days=HORIZON.days)
COUNTERS = ("views", "clicks", "add_to_carts", "purchases")


class WrongAnswer(AssertionError):
    """The views say something else than the definition."""


class Readings:
    """What the views say of every day, read once each; a view that names a hole is read day by day."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._all: dict[str, list[dict[str, Any]] | None] = {}

    def of(self, view: str, day: date) -> list[dict[str, Any]]:
        """The rows of the day. Raises `HoleError`."""
        if view not in self._all:
            try:
                self._all[view] = self._store.rows(f"SELECT * FROM {view}")
            except HoleError:
                self._all[view] = None
        every = self._all[view]
        if every is None:
            return self._store.rows(f"SELECT * FROM {view} WHERE day = '{day}'")
        return [row for row in every if row["day"] == day]


def check(world: World) -> int:
    """Compares every day; returns how many answers were errors that name a hole. Raises `WrongAnswer`."""
    records, readings, holes = world.log.all(), Readings(world.store), 0
    _check_cuts(world)
    applied = dict.fromkeys(LOGS, 0) | _applied(world.store)
    settled = world.is_settled()
    folded: dict[tuple[int, ...], Answer] = {}
    limits: dict[date, dict[Log, int]] = {}
    cuts = _cuts(world.store)
    for day in world.days():
        cut = dict.fromkeys(LOGS, 0) | cuts[day]
        limits[day] = limit = day_limit(records, day, cut, applied, ORACLE_RULES)
        key = tuple(limit[log] for log in LOGS)
        if key not in folded:
            folded[key] = fold(below(records, limit), ORACLE_RULES)
        want = folded[key].on(day)
        for comparison in _SETTLED if settled else _ALWAYS:
            try:
                comparison(readings, day, want)
            except HoleError as hole:
                holes += 1
                if not world.incarnation:
                    raise WrongAnswer(f"nothing was lost, but: {hole}") from hole
    if settled and not holes and limits:
        _check_top_products(
            world.store, {day: folded[tuple(limit[log] for log in LOGS)] for day, limit in limits.items()}
        )
    if (
        settled
        and not holes
        and all(
            cut <= applied[log]
            for (name, _, p), cut in world.highest_cut.items()
            for log in DATASETS[name]
            if log.partition == p
        )
    ):
        _check_each_event_once(world, readings, limits, applied)
    return holes


def _check_top_products(store: Store, answers: Mapping[date, Answer]) -> None:
    """Over all days at once."""
    want: Counter[tuple[str, str, str]] = Counter()
    for day, answer in answers.items():
        want.update({(key.tenant_id, key.product_id, key.kind): n for key, n in answer.on(day).products.items()})
    span = f"from_time = '{min(answers)} 00:00:00', to_time = '{max(answers) + timedelta(days=1)} 00:00:00'"
    rows = store.rows(f"SELECT * FROM top_products({span}, tenant = '', category = '')")
    got = {(row["tenant_id"], row["product_id"], name): row[name] for row in rows for name in COUNTERS if row[name]}
    _compare("top_products", max(answers), dict(want), got)


def _check_cuts(world: World) -> None:
    """A cut never moves back."""
    for dataset in DATASETS:
        for day, publication in current_publications(world.store.client, dataset).items():
            for partition, offset in publication.cut.items():
                highest = world.highest_cut.setdefault((dataset, day, partition), offset)
                if offset < highest:
                    raise WrongAnswer(f"{dataset} of {day}: cut of {partition} moved back from {highest} to {offset}")
                world.highest_cut[dataset, day, partition] = offset


def _check_each_event_once(
    world: World, readings: Readings, limits: dict[date, dict[Log, int]], applied: dict[Log, int]
) -> None:
    """An event that all answering layers know lies in exactly one session, over all days: days move together."""
    rows = [row for day in limits for row in readings.of("sessions", day)]
    for session in fold(below(world.log.all(), applied), ORACLE_RULES).sessions:
        log = Log("user-events", session.log_epoch, session.log_partition)
        group = (session.tenant_id, session.session_id, session.log_partition)
        mine = [row for row in rows if (row["tenant_id"], row["session_id"], row["log_partition"]) == group]
        events = [event for event in _events(world, applied) if _in(event, session, log)]
        known = [limits[event.day][log] for event in events]
        hidden = [event for event in events if event.position.offset >= min(known)]
        if any(not _published(world, event, {e.day for e in events}) for event in hidden):
            continue
        for event in events:
            times = sum(_ms(row["session_start"]) <= event.time_ms <= _ms(row["session_end"]) for row in mine)
            if event.position.offset < min(known) and times != 1:
                raise WrongAnswer(f"{event} lies in {times} sessions: {mine}")


def _events(world: World, applied: dict[Log, int]) -> tuple[Event, ...]:
    return fold(below(world.log.all(), applied), ORACLE_RULES).events


def _in(event: Event, session: Session, log: Log) -> bool:
    same = (event.tenant_id, event.session_id, event.position.log) == (session.tenant_id, session.session_id, log)
    return same and session.session_start <= event.time_ms <= session.session_end


def _published(world: World, event: Event, days: set[date]) -> bool:
    """Whether some day of the event's session is published with it."""
    partition, offset = event.position.log.partition, event.position.offset
    return any(world.highest_cut.get(("events", day, partition), 0) > offset for day in days)


def _applied(store: Store) -> dict[Log, int]:
    rows = store.rows("SELECT topic, log_epoch, log_partition, applied FROM speed_progress FINAL")
    return {Log(row["topic"], row["log_epoch"], row["log_partition"]): row["applied"] for row in rows}


def _cuts(store: Store) -> defaultdict[date, dict[Log, int]]:
    """What the batch layer has counted of each day."""
    rows = store.rows("SELECT day, dataset, arrayJoin(mapKeys(cut)) AS p, cut[p] AS below FROM current_publications")
    cuts: defaultdict[date, dict[Log, int]] = defaultdict(dict)
    for row in rows:
        cuts[row["day"]][Log(DATASETS[row["dataset"]][0].topic, 1, row["p"])] = row["below"]
    return cuts


def _compare(what: str, day: date, want: object, got: object) -> None:
    if want != got:
        raise WrongAnswer(f"{what} of {day}\n  want {want}\n  got  {got}")


def events_hold(readings: Readings, day: date, want: Answer) -> None:
    """Nothing that was applied is missing, whatever else is being written."""
    missing = {event.position for event in want.events} - set(_positions(readings.of("events", day), "user-events"))
    if missing:
        raise WrongAnswer(f"events of {day}: missing {sorted(missing)}")


def events_equal(readings: Readings, day: date, want: Answer) -> None:
    got = sorted(_positions(readings.of("events", day), "user-events"))
    _compare("events", day, sorted(event.position for event in want.events), got)


def orders_equal(readings: Readings, day: date, want: Answer) -> None:
    got = sorted(_positions(readings.of("orders", day), "transactions"))
    _compare("orders", day, sorted(order.position for order in want.orders), got)


def sessions_equal(readings: Readings, day: date, want: Answer) -> None:
    expected = [asdict(session) for session in want.sessions]
    for view in ("sessions", "sessions_by_id"):
        rows = readings.of(view, day)
        got = [{name: _ms(row[name]) for name in expected[0]} for row in rows] if expected else rows
        _compare(view, day, _sorted(expected), _sorted(got))


def products_equal(readings: Readings, day: date, want: Answer) -> None:
    got = {
        (row["tenant_id"], row["product_id"], counter): row[counter]
        for row in readings.of("product_daily", day)
        for counter in COUNTERS
        if row[counter]
    }
    _compare("products", day, {(k.tenant_id, k.product_id, k.kind): n for k, n in want.products.items()}, got)


def popularity_equal(readings: Readings, day: date, want: Answer) -> None:
    rows = readings.of("product_popularity", day)
    got = {
        (row["tenant_id"], _ms(row["window_start"]), row["product_id"], counter): row[counter]
        for row in rows
        for counter in COUNTERS
        if row[counter]
    }
    expected = {(k.tenant_id, k.start_ms, k.product_id, k.kind): n for k, n in want.windows.items()}
    _compare("product_popularity", day, expected, got)
    sold: Counter[tuple[str, int, str]] = Counter()
    earned = {}
    for key, (units, revenue) in product_sales(want.orders).items():
        sold[key.tenant_id, key.start_ms, key.product_id] += units
        earned[tuple(key)] = revenue
    by_row = {(row["tenant_id"], _ms(row["window_start"]), row["product_id"]): row for row in rows}
    _compare("units", day, +sold, +Counter({key: row["units"] for key, row in by_row.items()}))
    revenue_got = {(*key, code): minor for key, row in by_row.items() for code, minor in row["revenue_minor"]}
    _compare("revenue", day, earned, revenue_got)


def metrics_equal(readings: Readings, day: date, want: Answer) -> None:
    expected = {key.tenant_id: _rounded(asdict(row)) for key, row in want.daily_metrics.items()}
    rows = {row["tenant_id"]: row for row in readings.of("daily_metrics", day)}
    got = (
        {tenant: _rounded({name: row[name] for name in next(iter(expected.values()))}) for tenant, row in rows.items()}
        if (expected)
        else rows
    )
    _compare("daily_metrics", day, expected, got)


def revenue_equal(readings: Readings, day: date, want: Answer) -> None:
    expected = {(key.tenant_id, key.currency): _rounded(asdict(row)) for key, row in want.daily_revenue.items()}
    names = ("orders", "refunds", "gross_revenue_minor", "net_revenue_minor", "avg_order_value_minor")
    got = {
        (row["tenant_id"], row["currency"]): _rounded({name: row[name] for name in names})
        for row in readings.of("daily_revenue", day)
    }
    _compare("daily_revenue", day, expected, got)


_ALWAYS = (events_hold,)
_SETTLED = (
    events_equal,
    orders_equal,
    sessions_equal,
    products_equal,
    popularity_equal,
    metrics_equal,
    revenue_equal,
)


def _positions(rows: list[dict[str, Any]], topic: str) -> list[tuple[Log, int]]:
    return [(Log(topic, row["log_epoch"], row["log_partition"]), row["log_offset"]) for row in rows]


def _ms(value: Any) -> Any:
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else value


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str((row["tenant_id"], row["session_id"], row["session_start"])))


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Ratios of equal numbers may differ in the last bit, depending on the order of multiplications."""
    return {name: round(value, 9) if isinstance(value, float) else value for name, value in row.items()}
