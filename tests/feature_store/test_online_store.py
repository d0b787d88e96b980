"""Of two values of an entity the newer one stays, in whatever order, from whomever, and however often they come."""

from __future__ import annotations

import copy
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from feature_store.config import close, open_store
from feature_store.entity_keys import key_of
from feature_store.online_rows import OnlineValue
from feature_store.online_store import FutureEvent, OnlineWriteFailed
from feature_store.writing import OnlineRow, OnlineWriter
from infra.settings import Settings

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

TENANT = "online-store-test"
NOW = int(time.time() * 1000)


def row(user: str, event_ms: int, category: str, known_ms: int | None = None) -> OnlineRow:
    known = event_ms if known_ms is None else known_ms
    return OnlineRow((TENANT, user), event_ms, known, {"last_seen": event_ms, "last_category": category})


def read(store: Any, users: list[str], *features: str) -> dict[str, list[Any]]:
    rows = [{"tenant_id": TENANT, "user_id": user} for user in users]
    found: dict[str, list[Any]] = store.get_online_features(features=list(features), entity_rows=rows).to_dict()
    return found


def categories(store: Any, users: list[str]) -> list[Any]:
    return read(store, users, "user_recent:last_category")["last_category"]


def test_a_late_value_and_a_replay_lose(feature_store: Any, online: OnlineWriter) -> None:
    for minute, category in ((10, "new"), (5, "late"), (10, "new"), (1, "older")):
        online.write("user_recent", [row("late", NOW - 3_600_000 + minute * 60_000, category)])
        assert categories(feature_store, ["late"]) == ["new"]


def test_of_one_event_time_what_was_known_later_wins(feature_store: Any, online: OnlineWriter) -> None:
    for known, category in ((9_000, "second"), (2_000, "first"), (9_000, "second")):
        online.write("user_recent", [row("recomputed", NOW - 60_000, category, NOW - 60_000 + known)])
    assert categories(feature_store, ["recomputed"]) == ["second"]


@pytest.mark.parametrize("seed", range(3))
def test_two_writers_and_any_order_leave_the_newest(
    feature_settings: Settings, feature_store: Any, online: OnlineWriter, seed: int
) -> None:
    rng = random.Random(seed)
    users = [f"shuffled-{seed}-{number}" for number in range(20)]
    rows = [row(user, NOW - rng.randrange(10_000_000), f"{user} {n}", NOW) for user in users for n in range(15)]
    second = open_store(feature_settings)
    other = OnlineWriter(second)

    def write(writer: OnlineWriter, order: random.Random) -> None:
        mine = order.sample(rows, len(rows))
        for start in range(0, len(mine), 37):
            writer.write("user_recent", mine[start : start + 37])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (online, other), (random.Random(seed + 10), random.Random(seed + 20))))
    close(second)
    newest = {user: max((r for r in rows if r.entity[1] == user), key=lambda r: r.event_ms) for user in users}
    found = read(feature_store, users, "user_recent:last_category", "user_recent:last_seen")
    assert found["last_category"] == [newest[user].values["last_category"] for user in users]
    assert found["last_seen"] == [newest[user].event_ms for user in users]


def test_a_newer_null_is_newer(feature_store: Any, online: OnlineWriter) -> None:
    online.write("user_recent", [row("null", NOW - 2_000, "shoes")])
    online.write("user_recent", [OnlineRow((TENANT, "null"), NOW, NOW, {"last_seen": NOW, "last_category": None})])
    assert read(feature_store, ["null"], "user_recent:last_category", "user_recent:last_seen") == {
        "tenant_id": [TENANT],
        "user_id": ["null"],
        "last_category": [None],
        "last_seen": [NOW],
    }


def test_a_value_of_the_future_is_refused_and_shuts_nothing_out(feature_store: Any, online: OnlineWriter) -> None:
    with pytest.raises(FutureEvent):
        online.write("user_recent", [row("future", NOW + 3_600_000, "never")])
    online.write("user_recent", [row("future", NOW, "now")])
    assert categories(feature_store, ["future"]) == ["now"]


def test_a_session_of_an_hour_ago_is_not_live(feature_store: Any, online: OnlineWriter) -> None:
    values = {
        "live_session_views": 3,
        "live_cart_items": 1,
        "live_session_seconds": 2.5,
        "products_viewed_now": ("p1", "p2"),
    }
    for user, ago in (("gone", 3_600_000), ("here", 60_000)):
        online.write("user_live", [OnlineRow((TENANT, user), NOW - ago, NOW - ago, values)])
    found = read(feature_store, ["gone", "here"], "user_live:live_session_views", "user_live:products_viewed_now")
    assert found["live_session_views"] == [None, 3]
    assert found["products_viewed_now"] == [None, ["p1", "p2"]]


def test_many_entities_come_in_the_order_asked_for(feature_store: Any, online: OnlineWriter) -> None:
    users = [f"many-{number}" for number in range(250)]
    online.write("user_recent", [row(user, NOW, user) for user in users])
    asked = [*reversed(users), "nobody", users[3]]
    assert categories(feature_store, asked) == [*reversed(users), None, users[3]]


def test_what_is_erased_stays_erased_when_an_older_value_comes_again(feature_store: Any, online: OnlineWriter) -> None:
    entity = (TENANT, "erased")
    online.write("user_recent", [row("erased", NOW - 1_000, "shoes", NOW)])
    assert online.holds("user_recent", [entity]) == [True]
    online.erase("user_recent", [entity], NOW)
    online.write("user_recent", [row("erased", NOW - 1_000, "shoes", NOW)])
    assert online.holds("user_recent", [entity]) == [False]
    online.write("user_recent", [row("erased", NOW + 5_000, "back")])
    assert categories(feature_store, ["erased"]) == ["back"]


def test_a_value_may_be_larger_than_a_batch(feature_store: Any, online: OnlineWriter) -> None:
    users = ["small-1", "large", "small-2"]
    online.write("user_recent", [row(user, NOW, user * (20_000 if user == "large" else 1)) for user in users])
    assert categories(feature_store, users) == ["small-1", "large" * 20_000, "small-2"]


def test_what_cassandra_does_not_take_is_told(online: OnlineWriter) -> None:
    with pytest.raises(OnlineWriteFailed):
        online.write("user_recent", [row("refused", NOW, "x" * 6_000_000)])


def test_a_view_that_is_gone_leaves_the_others_of_its_entities(feature_store: Any, online: OnlineWriter) -> None:
    online.write("user_recent", [row("dropped", NOW, "shoes")])
    stays = feature_store.get_feature_view("user_recent")
    gone = copy.copy(stays)
    gone.name = "user_gone"
    config, store = feature_store.config, feature_store._get_provider().online_store
    keys = [key_of(("tenant_id", "user_id"), (TENANT, "dropped"))]
    store.write(config, [OnlineValue(gone, keys[0], datetime.fromtimestamp(NOW / 1000, UTC), None, b"")])
    assert store.holds(config, gone, keys) == [True]
    store.update(config, [gone], [stays], [], [], partial=True)
    assert store.holds(config, gone, keys) == [False]
    assert store.holds(config, stays, keys) == [True]
