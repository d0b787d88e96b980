"""A reader is given every feature of a service."""

from __future__ import annotations

from feature_store.answers import answer, of_users_alone
from feature_store.catalogue import defaults


def test_nobody_knows_the_user() -> None:
    given = answer("user_v1", {"is_new_user": True, "last_seen": None})
    assert given.features == defaults("user_v1")
    assert given.is_new_user
    assert "last_seen" in given.defaulted


def test_what_is_known_is_kept_and_the_rest_has_defaults() -> None:
    given = answer("user_v1", {"is_new_user": False, "last_seen": 5, "sessions_30d": 0})
    assert (given.features["last_seen"], given.features["sessions_30d"], given.features["segment"]) == (5, 0, "")
    assert not given.is_new_user
    assert not {"last_seen", "sessions_30d", "is_new_user"} & set(given.defaulted)


def test_services_that_want_more_than_a_user() -> None:
    assert [name for name in ("user_v1", "churn_v1", "fraud_v1", "recommendation_v1", "x") if of_users_alone(name)] == [
        "user_v1",
        "churn_v1",
    ]
