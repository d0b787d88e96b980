"""The Spark session of the batch layer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batch.lake import CATALOG, LakeConfig, spark_catalog, spark_packages
from infra.settings import JAVA_ARCHIVE, SPARK_ARCHIVE, Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PACKAGES = (
    "org.apache.spark:spark-sql-kafka-0-10_2.13:4.0.0",
    "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.11.0",
)

SHIPPED = (
    "org.apache.hadoop:hadoop-client-runtime",
    "org.apache.hadoop:hadoop-client-api",
    "org.lz4:lz4-java",
    "org.xerial.snappy:snappy-java",
    "org.slf4j:slf4j-api",
    "org.scala-lang.modules:scala-parallel-collections_2.13",
    "com.google.code.findbugs:jsr305",
)
"""What these packages ask for and Spark brings itself."""

SOCKETS = "jdk.net"
"""The module of Java without which Iceberg's HTTP client does not load; small runtimes leave it out."""

_LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


@dataclass(frozen=True)
class Archive:
    """Archives of loaded classes that Java starts from: its own, and on top of it those of Spark."""

    base: Path
    top: Path


@dataclass(frozen=True)
class SparkConfig:
    """How to run Spark. A cluster sets `master`, the memory and the number of shuffle partitions."""

    lake: LakeConfig
    state: Path
    """A folder of our own, for scratch files."""
    ivy: Path
    """Where `rivermeet fetch` puts Spark's packages."""
    java_home: Path
    """A Java 17 installation that Spark's launcher can start."""
    trust_store: Path
    """Certificate authorities for Java, for packages that are not fetched yet; ignored if there is no such file."""
    master: str = "local[2]"
    driver_memory: str = "2g"
    shuffle_partitions: int = 4
    archive: Archive | None = None
    """Set to make an archive of loaded classes, instead of starting from the one beside `java_home`."""


def spark_config(settings: Settings) -> SparkConfig:
    """What the settings say about Spark and the lake."""
    return SparkConfig(
        lake=lake_config(settings),
        state=settings.home / "batch",
        ivy=settings.spark_ivy,
        java_home=settings.spark_java_home,
        trust_store=settings.cache / "trust.p12",
        **settings.spark.model_dump(exclude={"inline_rows", "java_home"}),
    )


def lake_config(settings: Settings) -> LakeConfig:
    """What the settings say about the lake."""
    lake, s3 = settings.lake, settings.lake.s3
    access = {
        "token": lake.token.get_secret_value(),
        "s3.endpoint": s3.endpoint,
        "s3.region": s3.region,
        "s3.access-key-id": s3.access_key,
        "s3.secret-access-key": s3.secret_key.get_secret_value(),
        "s3.path-style-access": "true" if s3.path_style else "",
    }
    given = {name: value for name, value in access.items() if value}
    more = {name: value.get_secret_value() for name, value in lake.catalog_properties.items()}
    return LakeConfig(lake.catalog_uri, lake.warehouse, given | more)


def spark_properties(config: SparkConfig) -> dict[str, str]:
    """All Spark properties of the session."""
    state = config.state.absolute()
    catalog = {f"spark.sql.catalog.{CATALOG}.{key}": value for key, value in spark_catalog(config.lake).items()}
    return {
        "spark.driver.memory": config.driver_memory,
        "spark.driver.extraJavaOptions": _java_options(config),
        "spark.jars.excludes": ",".join(SHIPPED),
        "spark.jars.packages": ",".join((*PACKAGES, *spark_packages(config.lake))),
        "spark.jars.ivy": str(config.ivy),
        "spark.local.dir": str(state / "spark"),
        "spark.log.level": "ERROR",
        "spark.python.daemon.module": "batch.spark_daemon",
        f"spark.sql.catalog.{CATALOG}": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(config.shuffle_partitions),
        "spark.sql.warehouse.dir": str(state / "spark-warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        f"spark.sql.catalog.{CATALOG}.cache-enabled": "false",
        **(_LOOPBACK if config.master.startswith("local") else {}),
        **catalog,
    }


class JavaMissing(Exception):
    """Spark cannot start: there is no Java in the folder that the settings name."""

    def __init__(self, java_home: Path) -> None:
        super().__init__(f"no Java in {java_home}: run `rivermeet fetch` once")
        self.java_home = java_home


class JavaTooSmall(Exception):
    """Spark cannot reach the lake's catalog with this Java."""

    def __init__(self, java_home: Path, module: str) -> None:
        super().__init__(
            f"the Java in {java_home} lacks the module {module}, which Spark needs for a REST catalog:"
            " name another Java 17 in RIVERMEET_SPARK__JAVA_HOME"
        )
        self.java_home, self.module = java_home, module


@contextmanager
def spark_session(config: SparkConfig) -> Iterator[SparkSession]:
    """The session, stopped at the end. Sets the environment variables that Spark's launcher reads."""
    if not (config.java_home / "bin" / "java").exists():
        raise JavaMissing(config.java_home)
    if config.lake.is_rest and not has_module(config.java_home, SOCKETS):
        raise JavaTooSmall(config.java_home, SOCKETS)
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    # Spark offers all its packages to Python too, whose imports would then look through jars, in every task.
    SparkContext.PACKAGE_EXTENSIONS = (".zip", ".egg")
    os.environ["JAVA_HOME"] = str(config.java_home)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    if config.master.startswith("local"):
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master(config.master).appName("rivermeet-batch")
    session = builder.config(map=dict(spark_properties(config))).getOrCreate()
    try:
        yield session
    finally:
        session.stop()


def has_module(java_home: Path, module: str) -> bool:
    """Whether a Java has a module of the JDK."""
    asked = [str(java_home / "bin" / "java"), "--list-modules"]
    listed = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
    return any(line.partition("@")[0] == module for line in listed.splitlines())


def _java_options(config: SparkConfig) -> str:
    options = ["-Duser.timezone=UTC"]
    if config.master.startswith("local"):
        options += [*_SMALL, *_archive_options(config)]
    if config.trust_store.exists():
        options += [f"-Djavax.net.ssl.trustStore={config.trust_store}", "-Djavax.net.ssl.trustStoreType=PKCS12"]
    return " ".join(options)


_SMALL = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Java's second compiler takes half the time of a start; local jobs, whose rows go through Python, never repay it."""


def _archive_options(config: SparkConfig) -> list[str]:
    if config.archive:
        return [f"-XX:SharedArchiveFile={config.archive.base}", f"-XX:ArchiveClassesAtExit={config.archive.top}"]
    base, top = config.java_home / JAVA_ARCHIVE, config.java_home / SPARK_ARCHIVE
    return [f"-XX:SharedArchiveFile={base}:{top}"] if base.exists() and top.exists() else []
