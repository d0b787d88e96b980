"""The lake: what is new in Kafka brought in, and everything that was ever written kept up."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta

from batch.datasets import DATASETS, LANDED, Landed
from batch.land import Lander, LandingOptions, LandingReport, Source
from batch.maintenance import Keeper, TableUpkeep, Upkeep
from batch.publish import current_publications
from batch.steps.resources import Resources
from batch.warehouse import binding, copy_landings
from infra.clients.clickhouse import connect
from schemas.tables.features import DAY_TABLES, FEATURE_TABLES
from schemas.tables.lake import LAKE_TABLES

KEPT = (*LAKE_TABLES, *DAY_TABLES, *FEATURE_TABLES)
"""The tables that maintenance keeps up."""

MISSED = timedelta(days=7)
"""How far back a run looks for days that no run has published."""


@dataclass(frozen=True)
class MaintenanceReport:
    """What upkeep did."""

    tables: tuple[TableUpkeep, ...]
    runs_deleted: int
    versions_dropped: Mapping[str, int]
    """Table of ClickHouse -> how many (day, version) of it were dropped."""


class LakeSteps(Resources):
    """What is done to tables of the lake."""

    def land(self, dataset: Landed, chunk: int, *, accept_loss: bool) -> LandingReport:
        """Lands a topic up to its present end."""
        from batch.judging import RegistryJudge

        bound = binding(self.client, dataset.topic.name)
        judge = RegistryJudge(LANDED[dataset.name].topic.name, self.settings.registry.url)
        source = Source(dataset.topic.name, dataset.table, judge)
        width = self.settings.spark.shuffle_partitions
        options = LandingOptions(bound.epoch, bound.topic_id, chunk, width, accept_loss)
        kafka = self.settings.kafka.client_config()
        storage = self.config.lake.storage
        report = Lander(self.workers, self.catalog, storage, kafka, source, options, self.clock).land()
        if dataset.name in DATASETS:
            copy_landings(self.client, dataset.name, self.pinned(dataset).commits)
        return report

    def missed(self, day: date) -> list[date]:
        """Days of the week before a day of which something was landed and of which a dataset was never published."""
        found: set[date] = set()
        for dataset in DATASETS.values():
            landed = {part.day for commit in self.pinned(dataset).commits for part in commit.landed.days}
            found |= landed - current_publications(self.client, dataset.name).keys()
        return sorted(one for one in found if day - MISSED <= one < day)

    def maintain(self, upkeep: Upkeep, versions: timedelta) -> MaintenanceReport:
        """Keeps up the tables of the lake, the finished recomputes and the versions in ClickHouse."""
        from batch.versions import drop_versions

        keeper = Keeper(self.catalog, self.config.lake.storage, upkeep, self.clock)
        tables = tuple(done for table in KEPT if (done := keeper.keep(table)) is not None)
        runs = self.results.delete_before(self.clock() - upkeep.snapshots)
        with closing(connect(self.settings.clickhouse, "admin")) as admin:
            return MaintenanceReport(tables, runs, drop_versions(admin, self.clock() - versions))
