"""Answers made column by column are those that Feast makes value by value."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from feast.infra.online_stores.online_store import OnlineStore

from feature_store.catalogue import SERVICES, VIEWS
from feature_store.online_store import GuardedOnlineStore
from feature_store.writing import OnlineRow, OnlineWriter

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

TENANT = "answers-test"
NOW = int(time.time() * 1000)
REQUEST = {"price_minor": 500.0, "category": "shoes", "device": "mobile", "request_time": NOW}
FEATURES = [f"{view}:{feature.name}" for view in ("user_live", "user_behaviour") for feature in VIEWS[view].features]


def write(online: OnlineWriter, rng: random.Random, number: int) -> None:
    """Some views of one user, some values null, some too old to be served, event times to the millisecond."""
    keys = {"user_id": f"u{number}", "tenant_id": TENANT, "session_id": f"s{number}", "product_id": f"p{number}"}
    for view in VIEWS.values():
        if rng.random() < 0.6:
            event = NOW - rng.choice([rng.randrange(60_000), 400 * 86_400_000])
            values = {name: rng.choice([None, value]) for name, value in view.defaults.items()}
            online.write(view.name, [OnlineRow(tuple(keys[key] for key in view.keys), event, event, values)])


@pytest.fixture(scope="module")
def written(online: OnlineWriter) -> random.Random:
    rng = random.Random(5)
    for number in range(40):
        write(online, rng, number)
    return rng


def ask(store: Any, features: Any, rows: list[dict[str, Any]], named: dict[str, bool]) -> tuple[Any, ...]:
    found = store.get_online_features(features=features, entity_rows=rows, **named)
    return found.proto, repr(found.to_dict()), repr(found.to_dict(include_event_timestamps=True))


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("wanted", [None, *SERVICES])
def test_answers_are_feasts(
    feature_store: Any, written: random.Random, monkeypatch: pytest.MonkeyPatch, wanted: str | None, full: bool
) -> None:
    users = [written.randrange(50) for _ in range(60)]
    keys = [{"tenant_id": TENANT, "user_id": f"u{n}", "session_id": f"s{n}", "product_id": f"p{n}"} for n in users]
    rows = [key | REQUEST for key in keys]
    features = feature_store.get_feature_service(wanted) if wanted else FEATURES
    named = {"full_feature_names": full, "include_feature_view_version_metadata": full}
    ours = ask(feature_store, features, rows, named)
    for name in ("get_online_features", "_read_features_per_fv"):
        monkeypatch.setattr(GuardedOnlineStore, name, getattr(OnlineStore, name))
    assert ours == ask(feature_store, features, rows, named)
    assert len({status for column in ours[0].results for status in column.statuses}) > 1
