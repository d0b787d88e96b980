"""The steps of the batch layer, each with all that it needs, each safe to do again."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pyiceberg.catalog import Catalog

from batch.backfill import BackfillReport, to_do
from batch.datasets import DATASETS, LANDED, Dataset, Landed
from batch.engine import Engine
from batch.feature_loads import FeatureLoad, load_features
from batch.features import FeatureReport, Inputs, Wiring
from batch.files import LakeFile, of_days
from batch.gate import GateReport, validate, validate_across
from batch.gate_results import keep
from batch.lake import create_tables, files_of, load_table, open_catalog
from batch.land import Lander, LandingOptions, LandingReport, Source
from batch.late import LateDay, Patience, late_days
from batch.local_engine import LocalEngine
from batch.maintenance import Keeper, TableUpkeep, Upkeep
from batch.numbers import day_numbers
from batch.publication import ATTEMPT_BITS, Publication, PublicationRefused, snapshot_sequence
from batch.publish import current_publications
from batch.recommendations import generate
from batch.recompute import Recompute
from batch.reconcile import NotComparable, Reconciliation, newest, reconcile_day
from batch.report import QualityReport, newest_gates
from batch.report import keep as keep_report
from batch.results import Manifest, NoSuchRun, Results
from batch.rollback import Rollback, roll_back
from batch.segments import calculate
from batch.snapshot import Pinned, pin
from batch.spark import SparkConfig, spark_config, spark_session
from batch.warehouse import PublishReport, binding, copy_landings, publish_run
from batch.workers import Workers, check_files
from infra.clients.clickhouse import Client, connect
from infra.settings import Settings
from schemas.checks import Severity
from schemas.lateness import Horizon
from schemas.segments import LOOKBACK
from schemas.sessions import SessionRules
from schemas.tables.features import DAY_TABLES, FEATURE_TABLES
from schemas.tables.lake import LAKE_TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from batch.explain import Explanation

log = logging.getLogger(__name__)

KEPT = (*LAKE_TABLES, *DAY_TABLES, *FEATURE_TABLES)
"""The tables that maintenance keeps up."""

MISSED = timedelta(days=7)
"""How far back a run looks for days that no run has published."""


class GateRefused(Exception):
    """A day breaks the quality rules. Look at the report, mend or accept the data, and validate again."""

    def __init__(self, report: GateReport) -> None:
        names = ", ".join(check.name for check in report.checks if not check.passed)
        super().__init__(
            f"{report.dataset} of {report.day} did not pass the gate ({names}); see {report.docs}/index.html"
        )
        self.report = report


@dataclass(frozen=True)
class RunReport:
    """What a whole run did."""

    landed: LandingReport
    warnings: tuple[str, ...]
    """Day and name of each check of the gate that warns."""
    published: PublishReport


@dataclass(frozen=True)
class MaintenanceReport:
    """What upkeep did."""

    tables: tuple[TableUpkeep, ...]
    runs_deleted: int
    versions_dropped: Mapping[str, int]
    """Table of ClickHouse -> how many (day, version) of it were dropped."""


@dataclass
class Steps:
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

    def validate(self, dataset: Dataset, day: date, snapshot_id: int | None = None) -> GateReport:
        """Holds a day against the rules."""
        pinned = self.pinned(dataset, snapshot_id)
        check_files(self.workers, self.config.lake.storage, of_days(self._files(dataset, pinned), [day]))
        report = validate(self._engine(pinned.landed_rows([day])), dataset, pinned, day, self.config.state)
        keep(self.client, report, self.clock())
        verdict = "passed" if report.passed else "refused"
        log.info("the gate %s %s of %s: %d rows", verdict, dataset.name, day, report.rows)
        return report

    def validate_across(self, day: date, events: Dataset, orders: Dataset) -> GateReport:
        """Holds the orders of a day against the events that speak of them."""
        pinned = self.pinned(events), self.pinned(orders)
        near = [day + timedelta(days=away) for away in (-1, 0, 1)]
        engine = self._engine(sum(one.landed_rows(near) for one in pinned))
        report = validate_across(engine, *pinned, day, self.config.state)
        keep(self.client, report, self.clock())
        return report

    def recompute(self, dataset: Dataset, days: Collection[date], snapshot_id: int | None = None) -> Manifest:
        """Computes days, and those that must move with them, ready to be published."""
        pinned = self.pinned(dataset, snapshot_id)
        files = self._files(dataset, pinned)
        published = current_publications(self.client, dataset.name)
        work = Recompute(self.workers, self.results, pinned, files, published, self.rules)
        log.info("computing %s of %s: %d rows landed", dataset.name, _named(days), pinned.landed_rows(sorted(days)))
        made = work.events(days) if dataset.name == "events" else work.orders(days)
        log.info("computed %s of %s as run %s", dataset.name, _named(made.days), made.run)
        return made

    def publish(self, dataset: Dataset, day: date, run: str | None = None) -> PublishReport:
        """Publishes a finished recompute, by default the newest one that has the day."""
        manifest = self.results.manifest(dataset.name, run) if run else self.results.newest(dataset.name, day)
        copy_landings(self.client, dataset.name, self.pinned(dataset).commits)
        attempt = secrets.randbelow(1 << ATTEMPT_BITS)
        horizon = Horizon(self.settings.horizon_days)
        report = publish_run(self.client, self.results, manifest, horizon, self.clock(), attempt)
        said = "published" if report.published else "already in place:"
        log.info("%s %s of %s, version %d", said, dataset.name, _named(report.days), report.version)
        return report

    def run(self, dataset: Dataset, days: Collection[date], chunk: int, *, accept_loss: bool) -> RunReport:
        """Lands, validates, recomputes and publishes days from the snapshot that it landed. Raises `GateRefused`."""
        landed = self.land(dataset, chunk, accept_loss=accept_loss)
        gates = [self.validate(dataset, day, landed.snapshot_id) for day in sorted(days)]
        for refused in (gate for gate in gates if not gate.passed):
            raise GateRefused(refused)
        computed = self.recompute(dataset, days, landed.snapshot_id)
        warnings = tuple(f"{gate.day} {check.name}" for gate in gates for check in gate.broken(Severity.WARN))
        return RunReport(landed, warnings, self.publish(dataset, min(days), computed.run))

    def segments(self, day: date, runs: Mapping[str, str | None]) -> FeatureReport:
        """Makes the features of users of the days of finished recomputes, by default the newest that have the day."""
        create_tables(self.catalog, [*DAY_TABLES, *FEATURE_TABLES])
        inputs = self._inputs(day, runs)
        return calculate(self._wiring(inputs), inputs)

    def recommendations(self, day: date, runs: Mapping[str, str | None]) -> FeatureReport:
        """Makes the features of products and their neighbours, from the same recomputes."""
        create_tables(self.catalog, [*DAY_TABLES, *FEATURE_TABLES])
        inputs = self._inputs(day, runs)
        return generate(self._wiring(inputs), inputs)

    def load_features(self, day: date) -> FeatureLoad:
        """Loads the features of a day, and of those made with it, into ClickHouse."""
        create_tables(self.catalog, FEATURE_TABLES)
        return load_features(self.client, self.catalog, day, self.clock(), secrets.randbelow(1 << ATTEMPT_BITS))

    def reconcile(self, dataset: Dataset, day: date) -> Reconciliation:
        """Compares the speed layer with what is published of a day."""
        published = current_publications(self.client, dataset.name).get(day)
        return reconcile_day(self.client, dataset.name, published, day, self.clock())

    def roll_back(self, dataset: Dataset, day: date) -> Rollback:
        """Points readers back to what was published of a day before, and of the days that moved with it."""
        done = roll_back(self.client, dataset.name, day, uuid4().hex, self.clock())
        log.info("%s of %s went back", dataset.name, _named(done.versions))
        return done

    def late(self, dataset: Dataset, patience: Patience) -> list[LateDay]:
        """The published days with landed records past their cut that are due for a recompute."""
        current = current_publications(self.client, dataset.name).values()
        found = late_days(self.client, dataset.name, current, self.clock())
        return [one for one in found if patience.is_due(one, self.clock())]

    def backfill(self, dataset: Dataset, days: Sequence[date], at_once: int) -> BackfillReport:
        """Publishes days from what the lake holds, so many in one recompute, and leaves alone those in place.

        What is left is asked anew before each recompute, so days that moved along, or that somebody else published
        meanwhile, are not done again.
        """
        published: set[date] = set()
        refused: set[date] = set()
        pinned = self.pinned(dataset)
        copy_landings(self.client, dataset.name, pinned.commits)
        while True:
            current = current_publications(self.client, dataset.name)
            left, in_place, without = to_do(days, pinned, current, self.rules.definition)
            piece = [day for day in left if day not in refused][:at_once]
            if not piece:
                own = sorted(set(in_place) - published)
                return BackfillReport(
                    dataset.name, tuple(sorted(published)), tuple(own), tuple(sorted(refused)), tuple(without)
                )
            passed = [day for day in piece if self.validate(dataset, day, pinned.snapshot_id).passed]
            refused |= set(piece) - set(passed)
            if passed:
                published |= self._publish_unless_done(dataset, passed, pinned)

    def _publish_unless_done(self, dataset: Dataset, days: Sequence[date], pinned: Pinned) -> set[date]:
        """The days that were published; none if a backfill beside this one was quicker. Raises `PublicationRefused`."""
        made = self.recompute(dataset, days, pinned.snapshot_id)
        try:
            return set(self.publish(dataset, days[0], made.run).days)
        except PublicationRefused:
            current = current_publications(self.client, dataset.name)
            left, *_ = to_do(days, pinned, current, self.rules.definition)
            if left:
                raise
            return set()

    def backfill_features(self, days: Collection[date]) -> list[FeatureLoad]:
        """Makes and loads the features of days, oldest first, with those that were computed with them."""
        left, done = sorted(days), []
        while left:
            log.info("making features of %s and of what was computed with it", left[0])
            self.segments(left[0], {})
            self.recommendations(left[0], {})
            done.append(self.load_features(left[0]))
            left = [day for day in left if day not in done[-1].days]
        return done

    def _wiring(self, inputs: Inputs) -> Wiring[Any]:
        first = inputs.days[0] - timedelta(days=LOOKBACK)
        window = [first + timedelta(days=ahead) for ahead in range((inputs.days[-1] - first).days + 1)]
        rows = sum(self.pinned(DATASETS[one.dataset]).landed_rows(window) for one in inputs.manifests)
        return Wiring(self._engine(rows), self.results)

    def _files(self, dataset: Dataset, pinned: Pinned) -> tuple[LakeFile, ...]:
        return files_of(load_table(self.catalog, dataset.table), pinned.snapshot_id)

    def _engine(self, rows: int) -> Engine[Any]:
        """Where so many rows of the lake are best computed."""
        if rows <= self.settings.spark.inline_rows:
            return LocalEngine(self.catalog, self.config.lake.storage)
        from batch.spark_engine import SparkEngine

        return SparkEngine(self.spark, self.settings.spark.shuffle_partitions, self.config.lake.storage)

    def _inputs(self, day: date, runs: Mapping[str, str | None]) -> Inputs:
        """The recomputes that are named; of a dataset that is not, the newest with the day, if any."""
        found = [self._recomputed(name, day, runs.get(name)) for name in DATASETS]
        manifests = tuple(manifest for manifest in found if manifest)
        if not manifests:
            raise NoSuchRun("any dataset", f"of {day}")
        return Inputs(manifests)

    def _recomputed(self, dataset: str, day: date, run: str | None) -> Manifest | None:
        if run:
            return self.results.manifest(dataset, run)
        try:
            return self.results.newest(dataset, day)
        except NoSuchRun:
            return None

    def explain(self, day: date, name: str) -> Explanation:
        """Traces the number that readers get of a metric to snapshots, offsets and events."""
        from batch.explain import dataset_of, explain, find_metric

        metric = find_metric(name)
        dataset = DATASETS[dataset_of(metric)]
        published = current_publications(self.client, dataset.name)
        pinned = self.pinned(dataset)
        newest = snapshot_sequence(published[day].version) if day in published else 0
        known = [commit for commit in pinned.commits if commit.sequence <= newest]
        return explain(self.client, metric, day, published, known)

    def maintain(self, upkeep: Upkeep, versions: timedelta) -> MaintenanceReport:
        """Keeps up the tables of the lake, the finished recomputes and the versions in ClickHouse."""
        from batch.versions import drop_versions

        keeper = Keeper(self.catalog, self.config.lake.storage, upkeep, self.clock)
        tables = tuple(done for table in KEPT if (done := keeper.keep(table)) is not None)
        runs = self.results.delete_before(self.clock() - upkeep.snapshots)
        with closing(connect(self.settings.clickhouse, "admin")) as admin:
            return MaintenanceReport(tables, runs, drop_versions(admin, self.clock() - versions))

    def report(self, day: date, *, reconciled: bool = False) -> QualityReport:
        """Writes down what is known of a day: numbers, gates, publications and, if asked for, the reconciliation."""
        current = {name: current_publications(self.client, name).get(day) for name in DATASETS}
        compared = {name: self._compared(one, day) for name, one in DATASETS.items()} if reconciled else {}
        found = QualityReport(
            day=day,
            gates=newest_gates(self.config.state, day, list(DATASETS)),
            publications=current,
            folder=self.config.state / "reports" / day.isoformat(),
            numbers=day_numbers(self.client, day, current),
            reconciliation=compared or self._known(current),
            docs_url=self.settings.notify.docs_url,
        )
        return keep_report(found)

    def _known(self, current: Mapping[str, Publication | None]) -> dict[str, Reconciliation | str]:
        found = {name: newest(self.client, published) for name, published in current.items() if published}
        return {name: one for name, one in found.items() if one}

    def _compared(self, dataset: Dataset, day: date) -> Reconciliation | str:
        try:
            return self.reconcile(dataset, day)
        except NotComparable as error:
            return error.why


def _named(days: Collection[date]) -> str:
    return ", ".join(str(day) for day in sorted(days))


@contextmanager
def open_steps(settings: Settings) -> Iterator[Steps]:
    """The steps, with everything closed at the end that they opened."""
    with ExitStack() as resources:
        yield Steps(settings, lambda: datetime.now(UTC), resources)
