"""Feast's ClickHouse offline store, unchanged: temporary tables of entities, point-in-time joins, latest values."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from feature_store.feast_import import (
    ClickhouseSource,
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    Float64,
    RepoConfig,
    String,
    ValueType,
    connection_utils,
)
from tests.support.clickhouse import Endpoint

pytestmark = pytest.mark.servers

DAY = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)


@pytest.fixture
def values(client: Any) -> Iterator[str]:
    """Each customer's score, a value an hour: the hour's number."""
    client.command(
        "CREATE OR REPLACE TABLE feast_scores (customer_id String, event_timestamp DateTime64(3, 'UTC'),"
        " created DateTime64(3, 'UTC'), score Nullable(Float64)) ENGINE = MergeTree ORDER BY customer_id"
    )
    client.command(
        "INSERT INTO feast_scores SELECT concat('c', toString(number % 50)),"
        " toDateTime64('2026-11-20 00:00:00', 3, 'UTC') + toIntervalHour(intDiv(number, 50)), now64(3),"
        " intDiv(number, 50) FROM numbers(500)"
    )
    yield "feast_scores"
    client.command("DROP TABLE feast_scores SYNC")


@pytest.fixture
def store(endpoint: Endpoint, values: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureStore:
    # Feast keeps one client per thread, whatever the settings; another test's leads to another server.
    monkeypatch.setattr(connection_utils, "thread_local", threading.local())
    login = endpoint.login()
    offline = {
        "type": "clickhouse",
        "host": login["host"],
        "port": login["port"],
        "user": login["username"],
        "password": login["password"],
        "database": "rivermeet",
        "use_temporary_tables_for_entity_df": True,
        "additional_client_args": {"settings": {"join_use_nulls": 1}},
    }
    config = RepoConfig(
        project="shop",
        provider="local",
        registry=str(tmp_path / "registry.db"),
        online_store={"type": "sqlite", "path": str(tmp_path / "online.db")},
        offline_store=offline,
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    source = ClickhouseSource(
        name="scores",
        query=f"SELECT * FROM {values}",
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
    )
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
    view = FeatureView(
        name="scores",
        entities=[customer],
        ttl=dt.timedelta(hours=3),
        source=source,
        schema=[Field(name="customer_id", dtype=String), Field(name="score", dtype=Float64)],
    )
    store.apply([customer, view])
    return store


def test_historical_features_are_those_of_the_moment(store: FeatureStore) -> None:
    moments = [(1, 1.0), (2, 2.0), (12, 9.0), (13, None), (-1, None)]
    entities = pd.DataFrame(
        {
            "customer_id": [f"c{n}" for n in range(len(moments))],
            "event_timestamp": [DAY + dt.timedelta(hours=hour) for hour, _ in moments],
        }
    )

    found = store.get_historical_features(entity_df=entities, features=["scores:score"]).to_df()

    scores = dict(zip(found["customer_id"], found["score"], strict=True))
    for number, (_, expected) in enumerate(moments):
        score = scores[f"c{number}"]
        assert pd.isna(score) if expected is None else score == expected


def test_entities_may_be_a_query(store: FeatureStore) -> None:
    moment = "toDateTime64('2026-11-20 05:30:00', 3, 'UTC') AS event_timestamp"
    entities = f"SELECT DISTINCT customer_id, {moment} FROM feast_scores"

    found = store.get_historical_features(entity_df=entities, features=["scores:score"]).to_arrow()

    assert found.num_rows == 50
    assert set(found["score"].to_pylist()) == {5.0}


def test_the_latest_values_are_materialised(store: FeatureStore) -> None:
    store.materialize(DAY, DAY + dt.timedelta(hours=4))

    online = store.get_online_features(features=["scores:score"], entity_rows=[{"customer_id": "c7"}]).to_dict()

    assert online["score"] == [4.0]
