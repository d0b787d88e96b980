"""One Spark session for the whole run; every test finds an empty lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog import Catalog
from pyspark.sql import SparkSession

from batch.engine import Engine
from batch.lake import NAMESPACE, open_catalog
from batch.local_engine import LocalEngine
from batch.spark import SparkConfig, spark_config, spark_session
from batch.spark_engine import SparkEngine
from batch.storage import Storage
from batch.workers import Workers
from infra.jars import fetch
from infra.settings import load_settings
from tests.batch.logs import TestTopic, new_topic


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> SparkConfig:
    settings = load_settings(tmp_path_factory.mktemp("batch"))
    fetch(settings.cache, lambda _line: None)
    return spark_config(settings)


@pytest.fixture(scope="session")
def spark(config: SparkConfig) -> Iterator[SparkSession]:
    with spark_session(config) as session:
        yield session


@pytest.fixture(scope="session")
def workers() -> Workers:
    """Workers that have no need of Spark for the few rows of a test."""
    return Workers(lambda: pytest.fail("Spark was asked for"), inline_rows=100_000)


@pytest.fixture
def catalog(config: SparkConfig) -> Catalog:
    opened = open_catalog(config.lake)
    opened.create_namespace_if_not_exists(NAMESPACE)
    for name in opened.list_tables(NAMESPACE):
        opened.drop_table(name)
    return opened


@pytest.fixture
def engines(spark: SparkSession, catalog: Catalog) -> dict[str, Engine[Any]]:
    """Both engines on the same empty lake."""
    return {"local": LocalEngine(catalog, Storage()), "spark": SparkEngine(spark, 2, Storage())}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def topic(kafka: str) -> Callable[[int], TestTopic]:
    """Makes a topic of its own with so many partitions."""
    return lambda partitions: new_topic(kafka, partitions)
