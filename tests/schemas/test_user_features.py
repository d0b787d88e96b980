"""Features of users against figures that plain Python works out from the same records, row by row."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import affinity, quintiles, segments, user_activity
from schemas.frames import EVENT_COLUMNS, ORDER_COLUMNS
from schemas.segments import SCORE_KEYS, SCORED, SEGMENTS, ChurnModel
from schemas.sessions import SESSION_COLUMNS
from schemas.user_activity import KEYS, SUMS

DAY = date(2026, 3, 31)
MODEL = ChurnModel()

ages = st.integers(0, 100)
sessions = st.fixed_dictionaries(
    {
        "age": ages,
        "user": st.sampled_from(["u", "v", "w", None]),
        "device": st.sampled_from(["web", "ios"]),
        "hour": st.integers(0, 22),
        "page_views": st.integers(0, 5),
        "purchases": st.integers(0, 2),
        "duration_ms": st.integers(0, 600_000),
        "overlong": st.booleans(),
    }
)
orders = st.fixed_dictionaries(
    {
        "age": ages,
        "user": st.sampled_from(["u", "v", "w"]),
        "status": st.sampled_from(["completed", "completed", "refunded", "pending"]),
        "currency": st.sampled_from(["EUR", "GBP"]),
        "amount": st.integers(-500, 100_000),
    }
)


def moment(age: int, hour: int = 12) -> datetime:
    return datetime(DAY.year, DAY.month, DAY.day, hour, tzinfo=UTC) - timedelta(days=age)


def session_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    blank = dict.fromkeys(("clicks", "searches", "add_to_carts"), 0)
    full = [
        blank
        | {
            "day": DAY - timedelta(days=row["age"]),
            "tenant_id": "t",
            "user_id": row["user"],
            "device_class": row["device"],
            "session_start": moment(row["age"], row["hour"]),
            "session_end": moment(row["age"], row["hour"]) + timedelta(milliseconds=row["duration_ms"]),
            "events": row["page_views"] + row["purchases"],
            "page_views": row["page_views"],
            "purchases": row["purchases"],
            "converted": row["purchases"] > 0,
            "overlong": row["overlong"],
            "duration_ms": row["duration_ms"],
        }
        for row in rows
    ]
    return pl.DataFrame(full, schema={**SESSION_COLUMNS, "day": pl.Date()})


def order_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    full = [
        {
            "day": DAY - timedelta(days=row["age"]),
            "tenant_id": "t",
            "user_id": row["user"],
            "status": row["status"],
            "currency": row["currency"],
            "amount_minor": row["amount"],
            "order_time": moment(row["age"]),
        }
        for row in rows
    ]
    return pl.DataFrame(full, schema={**ORDER_COLUMNS, "day": pl.Date()})


def features(own_sessions: list[dict[str, Any]], own_orders: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    parts = [user_activity.of_sessions(session_frame(own_sessions)), user_activity.of_orders(order_frame(own_orders))]
    base = segments.user_base(pl.concat(parts), DAY, MODEL)
    scores = quintiles.scores(segments.ranked(base), SCORE_KEYS)
    preferred = base.with_columns(preferred_category=pl.lit(None, pl.String))
    return {row["user_id"]: row for row in segments.with_segments(preferred, scores).to_dicts()}


def least_of_most(counts: Counter[Any]) -> Any:
    return min(counts, key=lambda value: (-counts[value], value)) if counts else None


def expected(user: str, all_sessions: list[dict[str, Any]], all_orders: list[dict[str, Any]]) -> dict[str, Any] | None:
    own = [row for row in all_sessions if row["user"] == user]
    bought = [row for row in all_orders if row["user"] == user and row["status"] in ("completed", "refunded")]
    done = [row for row in bought if row["status"] == "completed"]
    active = sorted({row["age"] for row in own + done if row["age"] < 90}, reverse=True)
    if not active:
        return None
    month = [row for row in own if row["age"] < 30]
    timed = [row["duration_ms"] for row in month if not row["overlong"]]
    devices: Counter[str] = Counter(row["device"] for row in month)
    hours: Counter[int] = Counter(row["hour"] for row in month)
    by_currency: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in bought:
        if row["age"] < 30:
            by_currency[row["currency"]].append(row)
    main = least_of_most(Counter({c: sum(r["status"] == "completed" for r in rows) for c, rows in by_currency.items()}))
    gross = [row["amount"] for row in by_currency.get(main, []) if row["status"] == "completed"]
    back = [row["amount"] for row in by_currency.get(main, []) if row["status"] == "refunded"]
    return {
        "sessions_30d": len(month),
        "avg_session_duration": sum(timed) / len(timed) / 1000 if timed else None,
        "total_page_views_7d": sum(row["page_views"] for row in month if row["age"] < 7),
        "total_purchases_30d": sum(row["purchases"] for row in month),
        "orders_30d": sum(row["age"] < 30 for row in done),
        "refunds_30d": sum(row["age"] < 30 and row["status"] == "refunded" for row in bought),
        "currency": main,
        "avg_order_value_minor": sum(gross) / len(gross) if gross else None,
        "monetary_minor": sum(gross) - sum(back) if main else None,
        "last_activity_days_ago": active[-1],
        "last_order_days_ago": min((row["age"] for row in done if row["age"] < 30), default=None),
        "active_days": len(active),
        "device_type": least_of_most(devices),
        "usual_hour": least_of_most(hours),
        "lifecycle": stage(active),
        "churn_risk_score": pytest.approx(risk(active)),
    }


def stage(active: list[int]) -> str:
    returned = [later for earlier, later in pairwise(active) if earlier - later >= 30]
    if active[0] < 7:
        return "new"
    if returned and returned[-1] < 14:
        return "won_back"
    return "active" if active[-1] < 7 else "at_risk" if active[-1] < 30 else "dormant"


def risk(active: list[int]) -> float:
    x, age, last = len(active) - 1, active[0], active[0] - active[-1]
    r, alpha, a, b = MODEL.r, MODEL.alpha, MODEL.a, MODEL.b
    alive = 1 / (1 + a / (b + x) * ((alpha + age) / (alpha + last)) ** (r + x))
    return float(1 - alive * (1 - ((alpha + age) / (alpha + age + 30)) ** (r + x)))


@given(st.lists(sessions, max_size=12), st.lists(orders, max_size=12))
def test_features_are_what_the_records_say(
    own_sessions: list[dict[str, Any]], own_orders: list[dict[str, Any]]
) -> None:
    found = features(own_sessions, own_orders)
    for user in "uvw":
        wanted = expected(user, own_sessions, own_orders)
        got = found.get(user)
        assert (got is None) == (wanted is None), (user, got, wanted)
        if got and wanted:
            figures = {name for name, value in wanted.items() if isinstance(value, float)}
            assert {name: got[name] for name in wanted if name not in figures} == {
                name: value for name, value in wanted.items() if name not in figures
            }
            for name in figures:
                assert got[name] == pytest.approx(wanted[name], rel=1e-12), name


@given(st.lists(sessions, max_size=8), st.lists(orders, max_size=8), st.randoms(use_true_random=False))
def test_features_do_not_depend_on_the_order_of_rows_nor_on_later_days(
    own_sessions: list[dict[str, Any]], own_orders: list[dict[str, Any]], random: Any
) -> None:
    before = features(own_sessions, own_orders)
    later = [{**row, "age": -row["age"] - 1} for row in own_sessions]
    shuffled, mixed = [*own_sessions, *later], [*own_orders]
    random.shuffle(shuffled)
    random.shuffle(mixed)
    assert features(shuffled, mixed) == before


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(-5, 5)), min_size=1, max_size=40))
def test_a_score_is_the_share_of_lesser_values_in_fifths(rows: list[tuple[str, int]]) -> None:
    frame = pl.DataFrame(rows, schema={"key": pl.String(), "of": pl.Int64()}, orient="row")
    halves = [quintiles.counted(part, ["key"], "of") for part in (frame[::2], frame[1::2])]
    found = {(row[0], row[1]): row[2] for row in quintiles.scores(pl.concat(halves), ["key"]).iter_rows()}
    for key, value in rows:
        own = [other for name, other in rows if name == key]
        assert found[key, value] == 1 + 5 * sum(other < value for other in own) // len(own)


def test_recency_scores_5_for_the_latest_and_everybody_has_one_segment() -> None:
    buyers = [
        {"age": age, "user": f"b{age}", "status": "completed", "currency": "EUR", "amount": 1000 * (30 - age)}
        for age in range(0, 30, 3)
    ]
    found = features([{**_VISIT, "user": "looker"}, {**_VISIT, "user": "gone", "age": 60}], buyers)
    assert [found[f"b{age}"]["rfm_recency"] for age in (0, 27)] == [5, 1]
    assert {row["rfm_frequency"] for name, row in found.items() if name.startswith("b")} == {1}
    assert (found["looker"]["segment"], found["gone"]["segment"]) == ("browser", "absent")
    assert {row["segment"] for row in found.values()} <= SEGMENTS.keys()
    assert set(SCORED) <= found["b0"].keys()


_VISIT = {
    "age": 0,
    "device": "web",
    "hour": 1,
    "page_views": 1,
    "purchases": 0,
    "duration_ms": 5,
    "overlong": False,
}


def test_every_combination_of_scores_has_a_segment() -> None:
    every = [(r, f, m, 1, 1) for r in range(1, 6) for f in range(1, 6) for m in range(1, 6)]
    names = ("rfm_recency", "rfm_frequency", "rfm_monetary", "orders_30d", "sessions_30d")
    frame = pl.DataFrame(every, schema=dict.fromkeys(names, pl.Int64()), orient="row")
    held = frame.select(pl.sql_expr(condition).alias(name) for name, condition in SEGMENTS.items())
    assert held.select(pl.any_horizontal(pl.all())).to_series().all()
    named = {next(name for name in SEGMENTS if row[name]) for row in held.to_dicts()}
    assert named == SEGMENTS.keys() - {"browser", "absent"}


def test_churn_risk_lies_within_0_and_1_and_grows_with_silence() -> None:
    silent = pl.DataFrame({"x": [3] * 60, "last": [30] * 60, "age": list(range(30, 90))})
    found = silent.select(MODEL.risk(pl.col("x"), pl.col("last"), pl.col("age"))).to_series()
    assert 0 < found.min() < found.max() < 1  # type: ignore[operator]
    assert found.is_sorted()


interests = st.fixed_dictionaries(
    {
        "age": st.integers(0, 40),
        "user": st.sampled_from(["u", "v"]),
        "product": st.sampled_from(["p", "q", "r"]),
        "kind": st.sampled_from(["page_view", "click", "add_to_cart", "purchase", "search", "order"]),
    }
)
CATEGORY = {"p": "shoes", "q": "shoes", "r": None}


@given(st.lists(interests, max_size=25))
def test_affinity_is_the_decayed_sum_of_points(rows: list[dict[str, Any]]) -> None:
    events = [
        {
            "day": DAY - timedelta(days=row["age"]),
            "tenant_id": "t",
            "user_id": row["user"],
            "product_id": row["product"],
            "event_type": row["kind"],
            "properties": [{"key": "category", "value": CATEGORY[row["product"]]}] if CATEGORY[row["product"]] else [],
        }
        for row in rows
        if row["kind"] != "order"
    ]
    bought = [
        {
            "day": DAY - timedelta(days=row["age"]),
            "tenant_id": "t",
            "user_id": row["user"],
            "status": "completed",
            "items": [
                {"product_id": row["product"], "quantity": 1, "price_minor": 1, "category": CATEGORY[row["product"]]}
            ],
        }
        for row in rows
        if row["kind"] == "order"
    ]
    parts = [
        affinity.of_events(pl.DataFrame(events, schema={**EVENT_COLUMNS, "day": pl.Date()})),
        affinity.of_orders(pl.DataFrame(bought, schema={**ORDER_COLUMNS, "day": pl.Date()})),
    ]
    known = pl.DataFrame({"product_id": list(CATEGORY), "category": list(CATEGORY.values())})
    interest = pl.concat(parts).drop("category").join(known, on="product_id", how="left")
    found = {
        (row["user_id"], row["dimension"], row["value"]): row["score"]
        for row in affinity.affinity(interest, DAY).to_dicts()
    }
    wanted: dict[tuple[str, str, str], float] = defaultdict(float)
    for key, kinds in _by_day(rows).items():
        user, product, age = key
        paid = max(kinds["purchase"], kinds["order"])
        points = kinds["page_view"] + kinds["click"] + 3 * kinds["add_to_cart"] + 5 * paid
        if age >= 30 or not points:
            continue
        wanted[user, "product", product] += points * 0.5 ** (age / 7)
        if CATEGORY[product]:
            wanted[user, "category", str(CATEGORY[product])] += points * 0.5 ** (age / 7)
    assert found == {key: pytest.approx(score) for key, score in wanted.items()}


def _by_day(rows: list[dict[str, Any]]) -> dict[tuple[str, str, int], Counter[str]]:
    found: dict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
    for row in rows:
        found[row["user"], row["product"], row["age"]][row["kind"]] += 1
    return found


def test_the_frames_name_what_they_are_keyed_by() -> None:
    assert set(KEYS) <= {*user_activity.USER_ACTIVITY_COLUMNS, "day"}
    assert set(SUMS) <= user_activity.USER_ACTIVITY_COLUMNS.keys()
