"""From loads and records to what a model is given, and back: gate, history, consistency, erasure, HTTP."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from feature_store.consistency import check
from feature_store.drift import Limits
from feature_store.erasure import forget
from feature_store.live import LiveSession
from feature_store.loads import waiting
from feature_store.materialize import GateRefused, materialize, utc_now
from feature_store.popularity import LiveProduct
from feature_store.reports import loads
from feature_store.server import create_app
from feature_store.sinks import Categories, Stores
from feature_store.writing import OnlineRow, OnlineWriter
from infra.clients.clickhouse import Client
from tests.feature_store.seeding import clear, end_of, load, user

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
TENANT = f"round-trip-{time.time_ns()}"


@pytest.fixture(autouse=True)
def _empty(history: Client) -> None:
    clear(history)


def at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def put(history: Client, online: OnlineWriter, **options: Any) -> Any:
    return materialize(history, online, Limits(), utc_now, **options)


def served(store: Any, name: str, *features: str) -> dict[str, Any]:
    rows = [{"tenant_id": TENANT, "user_id": name}]
    found = store.get_online_features(features=list(features), entity_rows=rows).to_dict()
    return {key: values[0] for key, values in found.items() if not key.endswith("_id")}


def live(name: str, event_ms: int, **other: Any) -> LiveSession:
    values: dict[str, Any] = {
        "session_id": f"s-{name}",
        "log_epoch": 1,
        "log_partition": 0,
        "as_of": 1,
        "page_views": 4,
        "cart_items": 1,
        "seconds": 61.5,
        "products": ("p-1", "p-2"),
        "category": "shoes",
    }
    return LiveSession(TENANT, name, event_time=event_ms, appended_at=event_ms + 40, **(values | other))


def test_a_load_comes_online_once_and_says_so(history: Client, online: OnlineWriter, feature_store: Any) -> None:
    rows = {
        "batch_user_features": [user(TENANT, "ann", sessions_30d=7, device_type="mobile")],
        "batch_user_affinity": [
            {"tenant_id": TENANT, "user_id": "ann", "dimension": d, "value": v, "score": s, "share": s, "rank": r}
            for d, v, s, r in (
                ("category", "bags", 0.3, 2),
                ("category", "shoes", 0.7, 1),
                ("product", "p-1", 1.0, 1),
            )
        ],
    }
    load(history, YESTERDAY, 1, at(TODAY, 0), rows)
    (done,) = put(history, online)
    assert (done.day, done.version, done.rows, done.refused) == (YESTERDAY, 1, 3, 0)
    assert put(history, online) == [] == waiting(history)
    assert served(
        feature_store,
        "ann",
        "user_behaviour:sessions_30d",
        "user_behaviour:device_type",
        "user_interests:top_categories",
    ) == {"sessions_30d": 7, "device_type": "mobile", "top_categories": ["shoes", "bags"]}
    (report,) = loads(history)
    assert (report["day"], report["refused"], report["online_rows"]) == (YESTERDAY, 0, 3)


def test_an_older_day_that_is_published_late_changes_nothing_online(
    history: Client, online: OnlineWriter, feature_store: Any
) -> None:
    load(history, YESTERDAY, 5, at(TODAY, 0), {"batch_user_features": [user(TENANT, "late", sessions_30d=5)]})
    put(history, online)
    load(history, YESTERDAY - timedelta(days=1), 6, at(TODAY, 0), {"batch_user_features": [user(TENANT, "late")]})
    assert len(put(history, online)) == 1
    assert served(feature_store, "late", "user_behaviour:sessions_30d") == {"sessions_30d": 5}


def test_the_gate_keeps_a_load_offline_until_it_is_accepted(
    history: Client, online: OnlineWriter, feature_store: Any
) -> None:
    for day, version, device in ((YESTERDAY - timedelta(days=7), 1, "mobile"), (YESTERDAY, 2, None)):
        rows = [user(TENANT, f"gate-{n}", device_type=device) for n in range(5)]
        frame = {"batch_user_features": [row | {"sessions_30d": version} for row in rows]}
        load(history, day, version, end_of(day), frame)
    with pytest.raises(GateRefused) as refused:
        put(history, online)
    assert [found.feature for found in refused.value.findings] == ["device_type"]
    assert served(feature_store, "gate-1", "user_behaviour:sessions_30d") != {"sessions_30d": 2}
    put(history, online, accept=True)
    assert served(feature_store, "gate-1", "user_behaviour:sessions_30d") == {"sessions_30d": 2}


def test_training_sees_what_was_known_then_and_a_recompute_does_not_leak(history: Client, feature_store: Any) -> None:
    day = YESTERDAY - timedelta(days=3)
    load(history, day, 1, end_of(day) + timedelta(hours=3), {"batch_user_features": [user(TENANT, "pit")]})
    recomputed = {"batch_user_features": [user(TENANT, "pit", sessions_30d=9)]}
    load(history, day, 2, end_of(day) + timedelta(days=2), recomputed)
    moments = [end_of(day) + timedelta(hours=hours) for hours in (1, 4, 49)]
    frame = pd.DataFrame({"tenant_id": TENANT, "user_id": "pit", "event_timestamp": moments})
    job = feature_store.get_historical_features(
        frame, ["user_behaviour:sessions_30d"], filter_by_created_timestamp=True
    )
    found = job.to_df().sort_values("event_timestamp")["sessions_30d"].tolist()
    assert pd.isna(found[0])
    assert found[1:] == [1, 9]


def test_training_rows_are_not_multiplied_by_replays(history: Client, online: OnlineWriter, feature_store: Any) -> None:
    stores, now = Stores(history, online), int(time.time() * 1000) - 60_000
    for _ in range(3):
        stores.keep([live("again", now)], [], now + 500)
    frame = pd.DataFrame({"tenant_id": [TENANT], "user_id": ["again"], "event_timestamp": [pd.Timestamp.now(tz="UTC")]})
    found = feature_store.get_historical_features(frame, ["user_live:live_session_views", "user_recent:last_seen"])
    rows = found.to_df()
    assert rows["live_session_views"].tolist() == [4]
    assert rows["last_seen"].tolist() == [now]


def test_served_and_history_agree_until_something_is_lost(
    history: Client, online: OnlineWriter, feature_store: Any
) -> None:
    stores, now = Stores(history, online), int(time.time() * 1000) - 30_000
    load(history, YESTERDAY, 1, at(TODAY, 0), {"batch_user_features": [user(TENANT, f"c-{n}") for n in range(30)]})
    put(history, online)
    sessions = [live(f"c-{n}", now + n) for n in range(30)]
    products = [LiveProduct(TENANT, f"p-{n}", now + n, n, n, 0, 0) for n in range(5)]
    stores.keep(sessions, products, now)
    stores.serve(sessions, products)
    late = [live("c-1", now - 20_000, session_id="another", page_views=1)]
    stores.keep(late, [], now + 100)
    stores.serve(late, [])
    time.sleep(2.1)
    found = check(history, feature_store, "whole", utc_now, share=1000)
    assert found.passed
    compared = {one.view: one.compared for one in found.verdicts}
    assert (compared["user_behaviour"], compared["user_live"], compared["session_live"]) == (30, 30, 31)

    lost = [live("c-2", now + 9_000)]
    stores.keep(lost, [], now + 200)
    online.erase("user_recent", [(TENANT, "c-3")], now + 5_000)
    again = check(history, feature_store, "lost", utc_now, share=1000)
    wrong = {(v.view, v.feature): (v.mismatched, v.missing) for v in again.verdicts if not v.passed}
    assert wrong[("user_recent", "last_seen")] == (1, 1)
    assert not again.passed


def test_a_user_is_forgotten_everywhere(history: Client, online: OnlineWriter, feature_store: Any) -> None:
    stores, now = Stores(history, online), int(time.time() * 1000) - 10_000
    names = ["gone", "stays"]
    affinity = {"dimension": "product", "value": "p-9", "score": 1.0, "share": 1.0, "rank": 1}
    tables = {
        "batch_user_features": [user(TENANT, name) for name in names],
        "batch_user_affinity": [{"tenant_id": TENANT, "user_id": name, **affinity} for name in names],
    }
    load(history, YESTERDAY, 1, at(TODAY, 0), tables)
    put(history, online)
    sessions = [live(name, now) for name in names]
    stores.keep(sessions, [], now)
    stores.serve(sessions, [])
    done = forget(history, online, TENANT, "gone", int(time.time() * 1000))
    assert done.offline["batch_user_features"] == done.offline["feature_live_sessions"] == 1
    assert set(done.online.values()) == {1}
    stores.serve(sessions, [])
    assert served(feature_store, "gone", "user_recent:last_seen", "user_behaviour:sessions_30d") == {
        "last_seen": None,
        "sessions_30d": None,
    }
    assert served(feature_store, "stays", "user_recent:last_seen") == {"last_seen": now}


def test_over_http_as_feast_serves_and_with_defaults(history: Client, online: OnlineWriter, feature_store: Any) -> None:
    stores, now = Stores(history, online), int(time.time() * 1000) - 10_000
    stores.serve([live("web", now)], [])
    request = {"price_minor": [500.0], "category": ["shoes"], "device": ["mobile"], "request_time": [now]}
    entities = {"tenant_id": [TENANT], "user_id": ["web"], "session_id": ["s-web"], **request}
    with TestClient(create_app(feature_store)) as http:
        answer = http.post("/get-online-features", json={"feature_service": "fraud_v1", "entities": entities})
        known = http.get(f"/users/{TENANT}/web").json()
        new = http.get(f"/users/{TENANT}/nobody").json()
        assert http.get(f"/users/{TENANT}/web", params={"service": "fraud_v1"}).status_code == 404
    assert answer.status_code == 200
    names = answer.json()["metadata"]["feature_names"]
    values = dict(zip(names, (column["values"][0] for column in answer.json()["results"]), strict=True))
    assert (values["session_cart_items"], values["price_vs_avg_order"], values["is_new_user"]) == (1, 1.0, False)
    assert known["features"]["products_viewed_now"] == ["p-1", "p-2"]
    assert (known["is_new_user"], known["features"]["last_seen"]) == (False, now)
    assert (new["is_new_user"], new["features"]["sessions_30d"]) == (True, 0)
    assert sorted(new["defaulted"]) == sorted(set(new["features"]) - {"is_new_user"})


def test_categories_are_those_of_the_newest_load(history: Client) -> None:
    for version, category in ((1, "boots"), (2, "shoes")):
        row = {"tenant_id": TENANT, "product_id": "p-1", "category": category}
        load(history, YESTERDAY, version, at(TODAY, version), {"batch_product_features": [row]})
    categories = Categories(history)
    categories.refresh(0.0)
    assert categories(TENANT, "p-1") == "shoes"
    assert categories(TENANT, "p-2") is None


def test_product_values_read_back(history: Client, online: OnlineWriter, feature_store: Any) -> None:
    now = int(time.time() * 1000)
    values = {
        "product_views_5m": 3,
        "product_views_60m": 9,
        "product_carts_60m": 1,
        "product_purchases_60m": 0,
    }
    online.write("product_live", [OnlineRow((TENANT, "p"), now, now, values)])
    rows = [{"tenant_id": TENANT, "product_id": "p"}]
    found = feature_store.get_online_features(features=[f"product_live:{name}" for name in values], entity_rows=rows)
    assert {name: found.to_dict()[name] for name in values} == {name: [value] for name, value in values.items()}
