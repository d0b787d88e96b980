"""Product counters, `daily_metrics` and `daily_revenue` of hand-written logs."""

from datetime import date

import pytest

from tests.oracle.answer import fold
from tests.oracle.figures import (
    DailyMetrics,
    DailyRevenue,
    ProductDay,
    ProductWindow,
    TenantDay,
    TenantDayCurrency,
)
from tests.oracle.log import at, event, order
from tests.oracle.records import minor_units

MARCH_1, MARCH_2 = date(2026, 3, 1), date(2026, 3, 2)


def test_products_are_counted_by_the_day_and_window_of_the_event() -> None:
    answer = fold(
        [
            event(0, "2026-03-01 23:54:59.999", product="p"),
            event(1, "2026-03-01 23:55", product="p"),
            event(2, "2026-03-02 00:00", product="p"),
            event(3, "2026-03-02 00:01", "add_to_cart", product="p"),
            event(4, "2026-03-02 00:02", "search", product="p"),
            event(5, "2026-03-02 00:03", "click"),
        ]
    )
    assert answer.products == {
        ProductDay("default", MARCH_1, "p", "views"): 2,
        ProductDay("default", MARCH_2, "p", "views"): 1,
        ProductDay("default", MARCH_2, "p", "add_to_carts"): 1,
    }
    assert answer.windows == {
        ProductWindow("default", at("2026-03-01 23:50"), "p", "views"): 1,
        ProductWindow("default", at("2026-03-01 23:55"), "p", "views"): 1,
        ProductWindow("default", at("2026-03-02 00:00"), "p", "views"): 1,
        ProductWindow("default", at("2026-03-02 00:00"), "p", "add_to_carts"): 1,
    }


def test_a_day_of_three_sessions() -> None:
    answer = fold(
        [
            event(0, "2026-03-01 10:00", session="a", user="ann"),
            event(1, "2026-03-01 10:01", "purchase", session="a"),
            event(2, "2026-03-01 12:00", session="a", user="ann"),
            event(3, "2026-03-01 13:00", "click", session="b"),
        ]
    )
    assert answer.daily_metrics == {
        TenantDay("default", MARCH_1): DailyMetrics(
            active_users=1,
            visitors=2,
            sessions=3,
            engaged_sessions=1,
            page_views=2,
            clicks=1,
            searches=0,
            add_to_carts=0,
            conversions=1,
            conversion_rate=1 / 3,
            bounce_rate=1 - 1 / 3,
            avg_session_seconds=20.0,
        )
    }


def test_events_count_on_their_own_day_and_a_day_without_sessions_has_no_rates() -> None:
    answer = fold([event(0, "2026-03-01 23:59"), event(1, "2026-03-02 00:01")])
    assert answer.daily_metrics[TenantDay("default", MARCH_1)].sessions == 1
    second = answer.daily_metrics[TenantDay("default", MARCH_2)]
    assert (second.sessions, second.page_views) == (0, 1)
    assert (second.conversion_rate, second.bounce_rate, second.avg_session_seconds) == (None, None, None)


def test_overlong_sessions_count_but_not_in_durations() -> None:
    steps = [f"2026-03-0{1 + m // 1440} {m // 60 % 24:02}:{m % 60:02}" for m in range(0, 1461, 20)]
    overlong = [event(n, step, session="bot") for n, step in enumerate(steps)]
    alone = fold(overlong).daily_metrics[TenantDay("default", MARCH_1)]
    visit = [event(100, "2026-03-01 10:00", session="v"), event(101, "2026-03-01 10:00:30", session="v")]
    both = fold([*overlong, *visit]).daily_metrics[TenantDay("default", MARCH_1)]
    assert (alone.sessions, alone.engaged_sessions, alone.avg_session_seconds, alone.bounce_rate) == (1, 0, None, 1.0)
    assert (both.sessions, both.engaged_sessions, both.avg_session_seconds, both.bounce_rate) == (2, 1, 30.0, 0.5)


def test_revenue_is_booked_on_the_day_of_each_status_and_per_currency() -> None:
    answer = fold(
        [
            order(0, "2026-03-01 10:00", 12.5, "pending", transaction="t"),
            order(1, "2026-03-01 10:05", 12.5, transaction="t"),
            order(2, "2026-03-01 11:00", 7.49),
            order(3, "2026-03-01 11:00", 900, currency="JPY"),
            order(4, "2026-03-02 09:00", 12.5, "refunded", transaction="t"),
            order(5, "2026-03-02 09:00", 3.0, "cancelled", currency="USD"),
        ]
    )
    assert answer.daily_revenue == {
        TenantDayCurrency("default", MARCH_1, "EUR"): DailyRevenue(2, 0, 1999, 1999, 999.5),
        TenantDayCurrency("default", MARCH_1, "JPY"): DailyRevenue(1, 0, 900, 900, 900.0),
        TenantDayCurrency("default", MARCH_2, "EUR"): DailyRevenue(0, 1, 0, -1250, None),
        TenantDayCurrency("default", MARCH_2, "USD"): DailyRevenue(0, 0, 0, 0, None),
    }


def test_one_day_of_the_answer() -> None:
    answer = fold(
        [event(0, "2026-03-01 10:00", product="p"), event(1, "2026-03-02 10:00"), order(0, "2026-03-02 01:00", 1)]
    )
    first, second = answer.on(MARCH_1), answer.on(MARCH_2)
    assert (len(first.events), len(first.sessions), len(first.orders), len(first.products)) == (1, 1, 0, 1)
    assert (len(second.events), len(second.sessions), len(second.orders), len(second.products)) == (1, 1, 1, 0)
    assert set(second.daily_revenue) == {TenantDayCurrency("default", MARCH_2, "EUR")}


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (19.99, "EUR", 1999),
        (0.125, "EUR", 12),
        (0.375, "EUR", 38),
        (2.675, "EUR", 268),  # the double lies below 2.675, which is what its producer wrote
        (1.005, "EUR", 100),
        (2.5, "JPY", 2),
        (3.5, "JPY", 4),
        (1.2345, "KWD", 1234),
        (1.2355, "KWD", 1236),
        (-0.125, "USD", -12),
    ],
)
def test_money_is_rounded_half_even_once(amount: float, currency: str, minor: int) -> None:
    assert minor_units(amount, currency) == minor
