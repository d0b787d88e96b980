"""Loads of features into ClickHouse: once each, all of them kept, and never an older one in place of a newer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pyiceberg.catalog import Catalog

from batch.feature_loads import FeaturesDiffer, load_features
from batch.features import INPUTS, Trace
from batch.lake import LakeConfig, create_tables, load_table, open_catalog
from infra.clients.clickhouse import Client, connect, select
from schemas.tables.features import FEATURE_TABLES, USER_FEATURES
from schemas.tables.lake import LakeTable, to_arrow
from tests.batch.runs import migrated_warehouse
from tests.support.clickhouse import clear

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

DAY = date(2026, 3, 2)
NOW = datetime(2026, 3, 3, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("features")
    with migrated_warehouse(folder) as settings, closing(connect(settings)) as opened:
        yield opened


@pytest.fixture
def lake(tmp_path: Path, client: Client) -> Catalog:
    clear(client, [f"batch_{name}" for name in (*(table.name for table in FEATURE_TABLES), "feature_loads")])
    opened = open_catalog(LakeConfig(f"jdbc:sqlite:{tmp_path}/catalog.db", str(tmp_path / "warehouse")))
    create_tables(opened, FEATURE_TABLES)
    return opened


def made(lake: Catalog, run: int, users: int, tables: tuple[LakeTable, ...] = FEATURE_TABLES) -> None:
    """What `segments` and `recommendations` leave: so many users, and the recomputes that they come from."""
    trace = Trace((DAY,), {"events": f"run{run}", "orders": "run1"}, {"events": run, "orders": 1})
    for table in tables:
        names = [f"u{n}" for n in range(users)] if table is USER_FEATURES else []
        blank = {name: pl.lit(None if name in NULLABLE else _zero(kind), kind) for name, kind in table.columns.items()}
        ids = pl.DataFrame({"user_id": names}, schema={"user_id": pl.String()})
        frame = ids.with_columns(**{n: e for n, e in blank.items() if n != "user_id"}, day=pl.lit(DAY))
        rows = to_arrow(frame, table)
        load_table(lake, table).overwrite(rows, snapshot_properties={INPUTS: trace.to_json()})


NULLABLE = ("currency", "device_type", "usual_hour", "preferred_category", "last_purchase")


def _zero(kind: pl.DataType) -> object:
    return {pl.String: "", pl.Boolean: False, pl.Datetime: NOW}.get(type(kind), 0)


def users(client: Client, view: str) -> int:
    return int(select(client, f"SELECT count() AS n FROM {view}", {"n": pl.Int64()}).item())


def test_a_load_counts_once_and_is_kept_when_a_newer_one_comes(lake: Catalog, client: Client) -> None:
    made(lake, 1, 3)
    first = load_features(client, lake, DAY, NOW, 1)
    assert (first.loaded, first.rows["user_features"]) == (True, 3)
    again = load_features(client, lake, DAY, NOW + timedelta(hours=1), 2)
    assert (again.loaded, again.version) == (False, first.version)
    made(lake, 2, 4)
    assert load_features(client, lake, DAY, NOW + timedelta(hours=2), 3).loaded
    assert (users(client, "user_features"), users(client, "user_features_history")) == (4, 7)
    known = "SELECT uniqExact(user_id) AS n FROM user_features_history WHERE created_at <= '2026-03-03 04:00:00'"
    assert select(client, known, {"n": pl.Int64()}).item() == 3


def test_a_load_from_older_recomputes_that_comes_late_is_history_only(lake: Catalog, client: Client) -> None:
    made(lake, 2, 4)
    load_features(client, lake, DAY, NOW, 1)
    made(lake, 1, 3)
    assert load_features(client, lake, DAY, NOW + timedelta(hours=1), 2).loaded
    assert (users(client, "user_features"), users(client, "user_features_history")) == (4, 7)


def test_a_load_that_died_counts_nothing(lake: Catalog, client: Client) -> None:
    made(lake, 1, 3)
    load_features(client, lake, DAY, NOW, 1)
    client.command("TRUNCATE TABLE batch_feature_loads")
    assert (users(client, "user_features"), users(client, "user_features_history")) == (0, 0)
    assert load_features(client, lake, DAY, NOW, 2).loaded
    assert users(client, "user_features") == 3


def test_tables_of_different_recomputes_are_not_loaded(lake: Catalog, client: Client) -> None:
    with pytest.raises(FeaturesDiffer, match="never made"):
        load_features(client, lake, DAY, NOW, 1)
    made(lake, 1, 3)
    made(lake, 2, 4, FEATURE_TABLES[:2])
    with pytest.raises(FeaturesDiffer, match=r"run2.*run1"):
        load_features(client, lake, DAY, NOW, 1)
    assert users(client, "user_features_history") == 0
