"""Each rule gives what its words say, however the log is cut, repeated and restarted."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import AlertRules, alerts
from schemas.anomalies import addresses, clicks, purchases, traffic
from schemas.frames import SIGHTED_COLUMNS

RULES = AlertRules(click_floor=3)
START = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
EMPTY_TAIL = pl.DataFrame(schema=clicks.TAIL_COLUMNS)

CLICK = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from([0, 40, 99, 100, 150, 3_600_000]),
    st.sampled_from([0, 0, 1_999, 2_001]),
)
ORDER = st.tuples(st.sampled_from(["u", "v"]), st.integers(0, 3), st.sampled_from([100, 200, 1_000, 5_000]))
SIGHTED = st.tuples(st.sampled_from(["u", "v"]), st.sampled_from(["x", "y", "z"]), st.integers(0, 30))


def position(offset: int, appended: datetime) -> dict[str, Any]:
    return {"log_epoch": 1, "log_partition": 0, "log_offset": offset, "append_time": appended}


def click_log(draws: list[tuple[str, int, int]]) -> pl.DataFrame:
    """Clicks at times that go on by the gaps, sent to the log in an order of its own."""
    rows: list[dict[str, Any]] = []
    now = appended = START
    for number, (session, gap, _) in enumerate(draws):
        now += timedelta(milliseconds=gap)
        row = {"tenant_id": "t", "session_id": session, "event_time": now, "user_id": None}
        rows.append(row | {"place": -number * 7 % 5})
    rows.sort(key=lambda one: int(one.pop("place")))
    for offset, (row, (_, _, wait)) in enumerate(zip(rows, draws, strict=True)):
        appended += timedelta(milliseconds=wait)
        row |= position(offset, appended)
    return pl.DataFrame(rows, schema=clicks.CLICK_COLUMNS)


def obvious_alerts(log: pl.DataFrame, rules: AlertRules) -> dict[str, int]:
    """Alert id -> offset at which it is complete: after each click, all rows of all clicks so far by brute force."""
    found: dict[str, int] = {}
    seen: list[dict[str, Any]] = []
    for click in log.iter_rows(named=True):
        seen.append(click)
        rows: list[list[dict[str, Any]]] = []
        for one in seen:
            linked = [row for row in rows if any(are_linked(one, other, rules) for other in row)]
            rows = [row for row in rows if row not in linked] + [[one, *(other for row in linked for other in row)]]
        for row in rows:
            for one in row if len(row) >= rules.click_floor else []:
                window = round(one["event_time"].timestamp() * 1_000) // 3_600_000 * 3_600_000
                found.setdefault(f"rapid_clicks:t:{one['session_id']}:{window}", click["log_offset"])
    return found


def are_linked(one: dict[str, Any], other: dict[str, Any], rules: AlertRules) -> bool:
    near = abs(one["event_time"] - other["event_time"]) < rules.click_gap
    prompt = abs(one["append_time"] - other["append_time"]) <= rules.click_pause
    return bool(one["session_id"] == other["session_id"] and near and prompt)


def cut(log: pl.DataFrame, rng: random.Random) -> list[pl.DataFrame]:
    ends = sorted({rng.randrange(log.height + 1) for _ in range(rng.randrange(6))} | {0, log.height})
    return [log[first:end] for first, end in pairwise(ends)]


@given(st.lists(CLICK, max_size=30), st.randoms(use_true_random=False))
def test_clicks_do_not_depend_on_the_cut_or_on_restarts(draws: list[tuple[str, int, int]], rng: random.Random) -> None:
    log = click_log(draws)
    found: dict[str, int] = {}
    tail = EMPTY_TAIL
    for part in cut(log, rng):
        if rng.random() < 0.4 and part.height:
            since = part["append_time"][0] - clicks.lookback(RULES)
            known = log.filter(pl.col("log_offset") < part["log_offset"][0], pl.col("append_time") >= since)
            tail = clicks.keyed(known)
        raised, tail = clicks.fold(tail, part, RULES)
        for alert in alerts(raised, RULES).iter_rows(named=True):
            found.setdefault(alert["alert_id"], alert["as_of"])
    assert found == obvious_alerts(log, RULES)


def test_a_restart_before_each_click_knows_the_slowest_row_that_there_can_be() -> None:
    pause = RULES.click_pause // timedelta(milliseconds=1)
    log = click_log([("a", 40, pause)] * 5)
    found: dict[str, int] = {}
    for offset in range(log.height):
        since = log["append_time"][offset] - clicks.lookback(RULES)
        tail = log.filter(pl.col("log_offset") < offset, pl.col("append_time") >= since)
        raised, _ = clicks.fold(clicks.keyed(tail), log[offset : offset + 1], RULES)
        for alert in alerts(raised, RULES).iter_rows(named=True):
            found.setdefault(alert["alert_id"], alert["as_of"])
    assert found == obvious_alerts(log, RULES) != {}


def test_a_row_of_clicks_says_what_it_rests_on() -> None:
    [alert] = alerts(clicks.fold(EMPTY_TAIL, click_log([("a", 40, 0)] * 3), RULES)[0], RULES).to_dicts()
    assert (alert["rule"], alert["entity"], alert["observed"], alert["threshold"]) == ("rapid_clicks", "a", 40.0, 100.0)
    assert alert["evidence"] == [{"key": "clicks", "value": "3"}, {"key": "span_ms", "value": "80"}]
    assert alert["alert_id"].startswith("rapid_clicks:t:a:")


def order_log(draws: list[tuple[str, int, int]]) -> pl.DataFrame:
    rows = [
        {
            "tenant_id": "t",
            "user_id": user,
            "currency": "EUR",
            "log_epoch": 1,
            "log_partition": 0,
            "log_offset": offset,
            "transaction_id": f"t{offset}",
            "order_time": START + timedelta(days=40 * day, minutes=offset % 3),
            "amount_minor": amount,
        }
        for offset, (user, day, amount) in enumerate(draws)
    ]
    return pl.DataFrame(rows, schema=purchases.PURCHASE_COLUMNS)


def obvious_purchases(log: pl.DataFrame) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []
    seen: list[dict[str, Any]] = []
    for row in log.iter_rows(named=True):
        earlier = [
            other["amount_minor"]
            for other in seen
            if other["user_id"] == row["user_id"]
            and row["order_time"] - RULES.purchase_history <= other["order_time"] < row["order_time"]
        ]
        seen.append(row)
        if len(earlier) >= 3 and row["amount_minor"] > 5 * sum(earlier) / len(earlier):
            found.append((row["log_offset"], row["amount_minor"] / (sum(earlier) / len(earlier))))
    return found


@given(st.lists(ORDER, max_size=30), st.randoms(use_true_random=False))
def test_purchases_do_not_depend_on_the_cut_or_on_what_is_stored_past_it(
    draws: list[tuple[str, int, int]], rng: random.Random
) -> None:
    log = order_log(draws)
    found = []
    for part in cut(log, rng):
        start = part["log_offset"][0] if part.height else 0
        stored = log.filter(pl.col("log_offset") < start + rng.randrange(3))
        found += purchases.fold(stored, part, RULES).select("as_of", "observed").rows()
    want = obvious_purchases(log)
    assert [offset for offset, _ in found] == [offset for offset, _ in want]
    assert [times for _, times in found] == pytest.approx([times for _, times in want])


def test_a_large_purchase_is_critical_beyond_twice_the_factor() -> None:
    log = order_log([("u", 0, 100), ("u", 0, 100), ("u", 0, 100), ("u", 1, 600), ("u", 2, 5_000)])
    raised = purchases.fold(log[:0], log, RULES)
    assert raised["severity"].to_list() == ["warning", "critical"]
    assert raised["message"][0] == "An order of 6.0 EUR is 6.0 times the mean of 3 earlier ones."


def sighted_log(draws: list[tuple[str, str, int]]) -> pl.DataFrame:
    rows = [
        {"tenant_id": "t", "user_id": user, "session_id": "s", "ip": ip, "schema_id": 1}
        | {"timestamp": START + timedelta(minutes=5 * window)}
        | position(offset, START)
        for offset, (user, ip, window) in enumerate(draws)
    ]
    return pl.DataFrame(rows, schema=SIGHTED_COLUMNS)


@given(st.lists(SIGHTED, max_size=15), st.randoms(use_true_random=False))
def test_addresses_give_one_set_of_alerts_whatever_the_order_and_the_repetitions(
    draws: list[tuple[str, str, int]], rng: random.Random
) -> None:
    hour = timedelta(hours=1)
    rules = replace(RULES, cooldown=timedelta(minutes=30))
    times = [(user, ip, START + timedelta(minutes=5 * window)) for user, ip, window in draws]
    pairs = [
        (user, max(time, other))
        for user, ip, time in times
        for person, place, other in times
        if user == person and ip != place and abs(time - other) <= hour
    ]
    half_hour = 1_800_000
    want = {f"new_address:t:{user}:{round(at.timestamp() * 1000) // half_hour * half_hour}" for user, at in pairs}
    shuffled = [*draws, *draws[::2]]
    rng.shuffle(shuffled)
    log, got = sighted_log(shuffled), set()
    for part in cut(log, rng):
        if part.height:
            stored = log.filter(pl.col("log_offset") <= part["log_offset"][-1] + rng.randrange(2))
            got |= set(alerts(addresses.fold(stored, part, rules), rules)["alert_id"])
    assert got == want


def test_of_a_cooldown_the_first_candidate_counts() -> None:
    quick, later = [("a", 40, 0)] * 4, [("a", 3_600_000, 0), ("a", 1, 0), ("a", 1, 0)]
    log = click_log([("a", 0, 0), *quick, *later]).with_columns(log_offset=pl.col("log_offset").reverse())
    raised, _ = clicks.fold(EMPTY_TAIL, log, RULES)
    found = alerts(raised.sample(fraction=1, shuffle=True, seed=1), RULES)
    assert {row["alert_id"]: row["as_of"] for row in found.iter_rows(named=True)} == obvious_alerts(
        log.sort("log_offset"), RULES
    )
    assert found.height == 2


HOUR = datetime(2026, 3, 2, 10, tzinfo=UTC)


def hourly(values: dict[int, int]) -> pl.DataFrame:
    """Counts of a tenant by hours before `HOUR`."""
    rows = [{"tenant_id": "t", "hour": HOUR - timedelta(hours=ago), "events": n} for ago, n in values.items()]
    return pl.DataFrame(rows, schema=traffic.HOUR_COLUMNS)


WEEKS = {week * 168: 1_000 + week for week in range(1, 6)}
DAY = {ago: 1_000 + ago for ago in range(1, 25)}


@pytest.mark.parametrize(
    ("counts", "severity", "basis"),
    [
        ({0: 1_000, **WEEKS}, None, None),
        ({0: 1_600, **WEEKS}, "warning", "same hour of the week"),
        ({0: 400, **WEEKS}, "warning", "same hour of the week"),
        ({**WEEKS}, "critical", "same hour of the week"),
        ({0: 1_499, **WEEKS}, None, None),
        ({0: 1_600, **DAY}, "warning", "last hours"),
        ({0: 1_600, **dict.fromkeys(range(1, 6), 1000)}, None, None),
        ({0: 99, **dict.fromkeys(range(1, 25), 5)}, None, None),
        ({0: 1_600, **{ago: 500 + 100 * ago for ago in range(1, 25)}}, None, None),
    ],
)
def test_traffic_outside_a_robust_band_of_the_usual_is_told(
    counts: dict[int, int], severity: str | None, basis: str | None
) -> None:
    found = traffic.fold(hourly(counts), HOUR, RULES).to_dicts()
    assert [row["severity"] for row in found] == ([severity] if severity else [])
    assert [row["evidence"][2]["value"] for row in found] == ([basis] if basis else [])


def test_an_hour_is_compared_with_eight_weeks_and_a_day() -> None:
    hours = traffic.hours_to_compare(HOUR)
    assert len(set(hours)) == 33
    assert {HOUR - timedelta(weeks=8), HOUR - timedelta(hours=24), HOUR} <= set(hours)
