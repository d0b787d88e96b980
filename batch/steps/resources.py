"""What steps work with: made when first needed, closed when the process has done with them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyiceberg.catalog import Catalog

from batch.datasets import Landed
from batch.engine import Engine
from batch.files import LakeFile
from batch.lake import create_tables, files_of, load_table, open_catalog
from batch.local_engine import LocalEngine
from batch.results import Results
from batch.snapshot import Pinned, pin
from batch.spark import SparkConfig, spark_config, spark_session
from batch.workers import Workers
from infra.clients.clickhouse import Client, connect
from infra.settings import Settings
from schemas.sessions import SessionRules

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass
class Resources:
    """One process of the batch layer; Spark starts when a step first needs it."""

    settings: Settings
    clock: Callable[[], datetime]
    resources: ExitStack

    @cached_property
    def config(self) -> SparkConfig:
        """How Spark runs."""
        return spark_config(self.settings)

    @cached_property
    def spark(self) -> SparkSession:
        """The one session of the process."""
        return self.resources.enter_context(spark_session(self.config))

    @cached_property
    def workers(self) -> Workers:
        """Where units of work run: here, or on Spark, which starts then."""
        return Workers(lambda: self.spark, self.settings.spark.inline_rows)

    @cached_property
    def catalog(self) -> Catalog:
        """The lake's catalog."""
        return open_catalog(self.config.lake)

    @cached_property
    def client(self) -> Client:
        """ClickHouse."""
        return self.resources.enter_context(closing(connect(self.settings.clickhouse)))

    @property
    def results(self) -> Results:
        """Where recomputes leave their rows."""
        return Results(f"{self.config.lake.warehouse_uri}/results", self.config.lake.storage)

    @property
    def rules(self) -> SessionRules:
        """What makes a session."""
        return SessionRules(gap=timedelta(minutes=self.settings.session_gap_minutes))

    def pinned(self, dataset: Landed, snapshot_id: int | None = None) -> Pinned:
        """The snapshot to work on, by default the newest."""
        create_tables(self.catalog, [dataset.table])
        return pin(load_table(self.catalog, dataset.table), dataset.table, snapshot_id)

    def files(self, dataset: Landed, pinned: Pinned) -> tuple[LakeFile, ...]:
        """The data files of the snapshot."""
        return files_of(load_table(self.catalog, dataset.table), pinned.snapshot_id)

    def engine(self, rows: int) -> Engine[Any]:
        """Where so many rows of the lake are best computed."""
        if rows <= self.settings.spark.inline_rows:
            return LocalEngine(self.catalog, self.config.lake.storage)
        from batch.spark_engine import SparkEngine

        return SparkEngine(self.spark, self.settings.spark.shuffle_partitions, self.config.lake.storage)


def named(days: Collection[date]) -> str:
    """Days as a person reads them."""
    return ", ".join(str(day) for day in sorted(days))
