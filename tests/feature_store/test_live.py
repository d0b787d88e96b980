"""Session metrics to features of running sessions."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from feature_store.live import LiveSession, live_session, newest, recent_values, user_values

START = 1_763_700_000_000


def session(end_ms: int, **other: Any) -> dict[str, Any]:
    counts = {"pageViews": 3, "addToCarts": 2, "purchases": 1}
    found = {"sessionStart": START, "sessionEnd": end_ms, "userId": "u-1", "durationMs": end_ms - START}
    return found | counts | {"products": ["p-1", "p-2"]} | other


def metric(*sessions: dict[str, Any], **other: Any) -> dict[str, Any]:
    record = {"tenantId": "shop", "sessionId": "s-1", "logEpoch": 1, "logPartition": 3, "asOf": 7}
    return record | {"sessions": list(sessions)} | other


def category_of(tenant: str, product: str) -> str | None:
    return {("shop", "p-2"): "shoes"}.get((tenant, product))


def taken(record: dict[str, Any], appended_ms: int = START + 99_000) -> LiveSession:
    found = live_session(record, appended_ms, category_of)
    assert found is not None
    return found


def test_a_session_becomes_the_features_of_its_user() -> None:
    found = taken(metric(session(START + 60_000)))
    assert user_values(found) == {
        "live_session_views": 3,
        "live_cart_items": 1,
        "live_session_seconds": 60.0,
        "products_viewed_now": ("p-1", "p-2"),
    }
    assert recent_values(found) == {"last_seen": START + 60_000, "last_category": "shoes"}


def test_of_several_sessions_of_an_id_the_last_runs() -> None:
    later = session(START + 9_000_000, pageViews=1, sessionStart=START + 8_900_000)
    assert taken(metric(later, session(START + 60_000))).page_views == 1


def test_none_left_tells_nothing() -> None:
    assert live_session(metric(), START, category_of) is None


def test_nobody_signed_in_no_products_and_more_bought_than_put_in_the_cart() -> None:
    found = taken(metric(session(START, userId=None, products=[], purchases=5)))
    assert (found.user_id, found.category, found.cart_items) == ("", None, 0)


def test_records_of_the_first_schema_know_no_products() -> None:
    old = session(START)
    del old["products"]
    assert taken(metric(old)).products == ()


def test_a_value_is_not_known_before_it_happened() -> None:
    assert taken(metric(session(START + 500)), appended_ms=START).order == (START + 500, START + 500)


@given(st.permutations(range(6)), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_of_a_user_the_newest_stays_in_whatever_order_they_come(order: list[int], times: list[int]) -> None:
    values = [taken(metric(session(START + t), asOf=n), START + 10_000 + n) for n, t in enumerate(times)]
    (found,) = newest([values[place] for place in order], lambda one: one.user_id)
    assert found == max(values, key=lambda one: one.order)
