"""What the settings say of the lake, in the words of Spark and of pyiceberg."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from pyarrow import fs
from pyiceberg.exceptions import ServiceUnavailableError
from requests import ConnectionError as RequestsConnectionError
from sqlalchemy.exc import OperationalError

from batch.exits import Code, edge
from batch.lake import CatalogUnavailable, LakeConfig, open_catalog, python_catalog, spark_catalog, spark_packages
from batch.spark import JavaTooSmall, SparkConfig, lake_config, spark_config, spark_properties, spark_session
from batch.storage import Storage
from infra.settings import load_settings

S3 = {
    "RIVERMEET_LAKE__WAREHOUSE": "s3://bucket/lake",
    "RIVERMEET_LAKE__S3__ENDPOINT": "http://127.0.0.1:9000",
    "RIVERMEET_LAKE__S3__REGION": "eu-west-1",
    "RIVERMEET_LAKE__S3__ACCESS_KEY": "key",
    "RIVERMEET_LAKE__S3__SECRET_KEY": "secret",
    "RIVERMEET_LAKE__S3__PATH_STYLE": "true",
}


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LakeConfig:
    for name, value in S3.items():
        monkeypatch.setenv(name, value)
    return lake_config(load_settings(tmp_path))


def test_an_object_store_is_named_to_spark_and_to_pyiceberg(chosen: LakeConfig) -> None:
    spark, python = spark_catalog(chosen), python_catalog(chosen)
    for found in (spark, python):
        assert found["warehouse"] == "s3://bucket/lake"
        assert (found["s3.endpoint"], found["s3.access-key-id"]) == ("http://127.0.0.1:9000", "key")
        assert found["s3.secret-access-key"] == "secret"
    assert spark["io-impl"] == "org.apache.iceberg.aws.s3.S3FileIO"
    assert (spark["client.region"], spark["s3.path-style-access"]) == ("eu-west-1", "true")
    assert python["s3.force-virtual-addressing"] == "false"
    assert "py-io-impl" not in python
    assert any("iceberg-aws-bundle" in package for package in spark_packages(chosen))


def test_workers_reach_the_object_store_by_the_same_settings(chosen: LakeConfig) -> None:
    storage: Storage = pickle.loads(pickle.dumps(chosen.storage))
    store, path = storage.open("s3://bucket/lake/rivermeet/events/data/x.parquet")
    assert isinstance(store, fs.S3FileSystem)
    assert (store.region, path) == ("eu-west-1", "bucket/lake/rivermeet/events/data/x.parquet")
    name, options = storage.polars("s3://bucket/x.parquet")
    assert (name, (options or {})["aws_endpoint_url"]) == ("s3://bucket/x.parquet", "http://127.0.0.1:9000")


def test_a_rest_catalog_gets_its_token_and_what_else_it_asks_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RIVERMEET_LAKE__CATALOG_URI", "https://catalog.example/api")
    monkeypatch.setenv("RIVERMEET_LAKE__TOKEN", "t0ken")
    monkeypatch.setenv(
        "RIVERMEET_LAKE__CATALOG_PROPERTIES", '{"warehouse": "shop", "oauth2-server-uri": "https://x/y"}'
    )
    lake = lake_config(load_settings(tmp_path))
    assert (spark_catalog(lake)["type"], spark_catalog(lake)["token"]) == ("rest", "t0ken")
    for found in (spark_catalog(lake), python_catalog(lake)):
        assert (found["warehouse"], found["oauth2-server-uri"]) == ("shop", "https://x/y")
    assert (python_catalog(lake)["type"], python_catalog(lake)["uri"]) == ("rest", "https://catalog.example/api")
    assert spark_packages(lake) == ()


def test_postgres_is_one_address_for_both(tmp_path: Path) -> None:
    lake = LakeConfig("jdbc:postgresql://db.example:5432/lake?user=u&password=p", "/data/lake")
    assert spark_catalog(lake)["uri"] == lake.catalog_uri
    assert python_catalog(lake)["uri"] == "postgresql+psycopg://db.example:5432/lake?user=u&password=p"
    assert spark_packages(lake)[0].startswith("org.postgresql:postgresql:")


@pytest.mark.parametrize(
    "address", ["jdbc:postgresql://127.0.0.1:1/lake?user=u&password=hidden", "http://127.0.0.1:1/catalog"]
)
def test_a_catalog_that_does_not_answer_is_named_without_its_password(address: str) -> None:
    with pytest.raises(CatalogUnavailable, match=r"catalog at \S*127\.0\.0\.1:1/\w+ does not answer") as refused:
        open_catalog(LakeConfig(address, "/data/lake"))
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    "gone",
    [RequestsConnectionError("no route"), ServiceUnavailableError("later"), OperationalError("", {}, Exception())],
)
def test_a_catalog_that_goes_away_in_the_middle_of_a_command_is_told_by_the_exit_code(gone: Exception) -> None:
    with pytest.raises(typer.Exit) as ended, edge():
        raise gone
    assert ended.value.exit_code == Code.NOT_REACHED


def test_sqlite_and_a_folder_need_nothing_else(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    lake = lake_config(settings)
    assert open_catalog(lake).list_namespaces() == []
    assert spark_properties(spark_config(settings))["spark.sql.catalog.lake.type"] == "jdbc"


def test_master_and_memory_are_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RIVERMEET_SPARK__MASTER", "spark://cluster.example:7077")
    monkeypatch.setenv("RIVERMEET_SPARK__DRIVER_MEMORY", "6g")
    config = spark_config(load_settings(tmp_path))
    found = spark_properties(config)
    assert (config.master, found["spark.driver.memory"]) == ("spark://cluster.example:7077", "6g")
    assert "spark.driver.bindAddress" not in found


def test_a_java_that_cannot_reach_a_rest_catalog_is_refused_before_spark_starts(config: SparkConfig) -> None:
    small = replace(config, lake=LakeConfig("http://127.0.0.1:1/catalog", "/data/lake"))
    with (
        pytest.raises(JavaTooSmall, match=r"lacks the module jdk\.net.*RIVERMEET_SPARK__JAVA_HOME"),
        spark_session(small),
    ):
        pass


def test_the_java_of_spark_is_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RIVERMEET_SPARK__JAVA_HOME", "/usr/lib/jvm/java-17")
    assert spark_config(load_settings(tmp_path)).java_home == Path("/usr/lib/jvm/java-17")
