"""The ready analyses against pandas, which knows only the definitions: on a drawn shop, and on a real day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import polars as pl
import pytest

from infra.bench.store import write_live
from infra.clients.clickhouse import insert
from schemas.frames import EVENT_COLUMNS, ORDER_COLUMNS, utc_day
from tests.infra.replay.facts import REES46_FILE
from tests.merge.store import Store
from tests.serving.test_analyst_views import ask, event, order

FIRST, LAST = date(2026, 3, 2), date(2026, 3, 22)
FROM, TO = FIRST + timedelta(days=4), LAST - timedelta(days=2)
SPAN = f"from_day = '{FROM}', to_day = '{TO}', tenant = ''"
Frame = Any
"""A data frame of pandas, whose types say less than they ask for."""
GAP = pd.Timedelta(minutes=30)
TERMS = ("shoes", " Shoes", "HATS ", "hats", "socks", "", "  ")
KINDS = ("page_view", "page_view", "click", "search", "add_to_cart", "purchase")


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def drawn_events(draw: Random) -> list[dict[str, Any]]:
    """Visits by a few users under session ids that some of a day share, and come back to, some within the gap."""
    rows: list[dict[str, Any]] = []
    for _ in range(150):
        day, user = draw.randrange(21), draw.choice([None, *(f"u{n}" for n in range(25))])
        session, at = (
            f"s{day}-{draw.randrange(5)}",
            noon(FIRST) + timedelta(days=day, minutes=draw.randrange(-700, 500)),
        )
        for _ in range(draw.randrange(1, 6)):
            kind = draw.choice(KINDS)
            more = {"search_query": draw.choice(TERMS)} if kind == "search" else {"product_id": f"p{draw.randrange(5)}"}
            rows.append(event(len(rows), f"{at:%Y-%m-%d %H:%M}", session, kind, user, **more))
            at += timedelta(minutes=draw.choice((1, 5, 29, 30, 31)))
    return rows


def drawn_orders(draw: Random) -> list[dict[str, Any]]:
    rows = []
    for number in range(60):
        lines = [(f"p{draw.randrange(5)}", draw.randrange(1, 4), draw.randrange(100, 900), draw.choice("abc"))]
        lines += lines[:1] * draw.randrange(2)
        at = noon(FIRST) + timedelta(minutes=draw.randrange(20 * 1440))
        amount = draw.randrange(100, 5000)
        row = order(number % 60, draw.choice(("completed", "completed", "refunded", "pending")), amount, lines)
        more = {"user_id": f"u{draw.randrange(12)}", "payment_method": draw.choice(("card", "paypal"))}
        rows.append(row | more | {"currency": draw.choice(("EUR", "USD")), "order_time": at})
    return rows


@pytest.fixture(scope="module")
def shop(store: Store) -> Iterator[tuple[Frame, Frame]]:
    """Events and orders as pandas has them, and the same in the store."""
    draw = Random(11)
    events, orders = drawn_events(draw), drawn_orders(draw)
    store.clear()
    write_live(store.client, pl.DataFrame(events, schema=EVENT_COLUMNS))
    insert(
        store.client,
        "orders_speed",
        pl.DataFrame(orders, schema=ORDER_COLUMNS).with_columns(day=utc_day("order_time")),
    )
    yield pd.DataFrame(events), pd.DataFrame(orders)
    store.clear()


def sessions_of(events: Frame) -> Frame:
    """day, user, carts, purchases of each session."""
    rows = events.sort_values(["session_id", "event_time", "event_id"])
    begins = rows.groupby("session_id").event_time.diff().fillna(GAP) >= GAP
    groups = rows.groupby(begins.cumsum())
    return pd.DataFrame(
        {
            "day": groups.event_time.first().dt.date,
            "user": groups.user_id.last(),
            "carts": groups.event_type.agg(lambda kinds: (kinds == "add_to_cart").sum()),
            "purchases": groups.event_type.agg(lambda kinds: (kinds == "purchase").sum()),
        }
    )


def within(days: Any) -> Any:
    return (days >= FROM) & (days <= TO)


@pytest.mark.parametrize("period", ["day", "week"])
def test_retention(shop: tuple[Frame, Frame], store: Store, period: str) -> None:
    seen = sessions_of(shop[0]).dropna(subset="user")
    seen = seen[seen.day <= TO]
    monday = (lambda day: day - timedelta(days=day.weekday())) if period == "week" else (lambda day: day)
    length = 7 if period == "week" else 1
    first = seen.groupby("user").day.transform("min")
    kept = seen[first >= FROM].assign(cohort=first.map(monday), since=seen.day.map(monday))
    kept["period"] = [(since - cohort).days // length for since, cohort in zip(kept.since, kept.cohort, strict=True)]
    want = kept.groupby(["cohort", "period"]).user.nunique().reset_index()
    assert len(want) > 3
    found = ask(store, f"retention({SPAN}, period = '{period}')", "cohort, period, users, share, complete")
    sizes = {row.cohort: row.user for row in want.itertuples() if row.period == 0}
    assert found == [
        (
            row.cohort,
            row.period,
            row.user,
            pytest.approx(row.user / sizes[row.cohort]),
            row.cohort + timedelta(days=(row.period + 1) * length) <= TO + timedelta(days=1),
        )
        for row in want.itertuples()
    ]


def test_cart_abandonment(shop: tuple[Frame, Frame], store: Store) -> None:
    sessions = sessions_of(shop[0])
    days = sessions[within(sessions.day)].groupby("day")
    want = [(day, (one.carts > 0).sum(), ((one.carts > 0) & (one.purchases == 0)).sum()) for day, one in days]
    assert ask(store, f"cart_abandonment({SPAN})", "day, sessions_with_cart, abandoned") == want
    assert sum(abandoned for _, _, abandoned in want) > 3


def test_search_terms(shop: tuple[Frame, Frame], store: Store) -> None:
    events = shop[0][within(shop[0].event_time.dt.date)]
    searches = events[events.event_type == "search"].assign(term=lambda rows: rows.search_query.str.strip().str.lower())
    searches = searches[searches.term != ""].assign(visitor=lambda rows: rows.user_id.fillna(rows.session_id))
    bought = events[events.event_type == "purchase"].groupby("session_id").event_time.max()
    led = searches.session_id.map(bought) > searches.event_time
    want = (
        searches.assign(led=led).groupby("term").agg(n=("led", "size"), who=("visitor", "nunique"), led=("led", "sum"))
    )
    assert want.led.sum() > 0
    found = ask(store, f"search_terms({SPAN})", "term, searches, visitors, searches_before_purchase")
    assert sorted(found) == [(row.Index, row.n, row.who, row.led) for row in want.itertuples()]


@pytest.mark.parametrize("dimension", ["category", "product", "user", "payment_method", ""])
def test_revenue_by(shop: tuple[Frame, Frame], store: Store, dimension: str) -> None:
    orders = shop[1][within(shop[1].order_time.dt.date)]
    orders = orders[orders.status.isin(["completed", "refunded"])]
    if dimension in ("category", "product"):
        lines = orders.explode("items", ignore_index=True)
        items = pd.DataFrame(list(lines["items"]))
        lines["value"] = items["category" if dimension == "category" else "product_id"]
        lines["amount"] = items.quantity * items.price_minor
    else:
        column = {"user": "user_id", "payment_method": "payment_method", "": None}[dimension]
        lines = orders.assign(value=orders[column] if column else "", amount=orders.amount_minor)
    want = set()
    for (value, currency), one in lines.groupby(["value", "currency"]):
        completed, refunded = one[one.status == "completed"], one[one.status == "refunded"]
        gross, back = completed.amount.sum(), refunded.amount.sum()
        want.add((value, currency, completed.transaction_id.nunique(), gross, back, gross - back))
    columns = "value, currency, orders, gross_minor, refunded_minor, net_minor"
    assert set(ask(store, f"revenue_by({SPAN}, dimension = '{dimension}')", columns)) == want


def test_user_timeline(shop: tuple[Frame, Frame], store: Store) -> None:
    events, orders = shop
    mine = events[(events.user_id == "u3") & within(events.event_time.dt.date)]
    paid = orders[(orders.user_id == "u3") & within(orders.order_time.dt.date)]
    want = [*zip(mine.event_time, mine.event_type, strict=True)]
    want += [*zip(paid.order_time, "order " + paid.status, strict=True)]
    assert min(len(mine), len(paid)) > 0
    call = f"user_timeline(from_day = '{FROM}', to_day = '{TO}', tenant = 'shop', user = 'u3')"
    assert sorted(ask(store, call, "at, what")) == sorted(want)


@pytest.fixture(scope="module")
def rees46(real_data: Path, store: Store) -> Iterator[Frame]:
    """A real day as pandas reads it, and the same in the store."""
    raw = pd.read_csv(real_data / REES46_FILE, dtype=str).drop_duplicates(ignore_index=True)
    kinds = {"view": "page_view", "cart": "add_to_cart", "purchase": "purchase"}
    rows = [
        event(number, row["event_time"][:19], row["user_session"], kinds[row["event_type"]], row["user_id"])
        for number, row in enumerate(raw.to_dict("records"))
    ]
    store.clear()
    write_live(store.client, pl.DataFrame(rows, schema=EVENT_COLUMNS))
    yield pd.DataFrame(rows)
    store.clear()


@pytest.mark.real_data
def test_real_carts_users_and_timelines(rees46: Frame, store: Store) -> None:
    span = "from_day = '2019-10-01', to_day = '2019-10-01'"
    sessions = sessions_of(rees46)
    with_cart = sessions[sessions.carts > 0]
    carts = ask(store, f"cart_abandonment({span}, tenant = '')", "sessions_with_cart, abandoned")
    assert carts == [(len(with_cart), (with_cart.purchases == 0).sum())]
    users = ask(store, f"retention({span}, tenant = '', period = 'day')", "period, users")
    assert users == [(0, sessions.user.nunique())]
    busiest = rees46.user_id.value_counts().idxmax()
    mine = rees46[rees46.user_id == busiest]
    found = ask(store, f"user_timeline({span}, tenant = 'shop', user = '{busiest}')", "at, what")
    assert sorted(found) == sorted(zip(mine.event_time, mine.event_type, strict=True))
