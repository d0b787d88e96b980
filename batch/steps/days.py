"""Days: held against the rules, computed, published, taken back."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from uuid import uuid4

from batch.backfill import BackfillReport, to_do
from batch.commits import again
from batch.datasets import Dataset
from batch.files import of_days
from batch.gate import GateReport, validate, validate_across
from batch.gate_results import keep
from batch.publication import ATTEMPT_BITS, PublicationRefused, StalePublication
from batch.publish import LostRace, current_publications
from batch.recompute import Recompute
from batch.results import Manifest
from batch.rollback import Rollback, roll_back
from batch.snapshot import Pinned
from batch.steps.resources import Resources, named
from batch.warehouse import PublishReport, copy_landings, newer_in_place, publish_run
from batch.workers import check_files
from schemas.lateness import Horizon

log = logging.getLogger(__name__)


class DaySteps(Resources):
    """What is done to days of a dataset."""

    def validate(self, dataset: Dataset, day: date, snapshot_id: int | None = None) -> GateReport:
        """Holds a day against the rules."""
        pinned = self.pinned(dataset, snapshot_id)
        check_files(self.workers, self.config.lake.storage, of_days(self.files(dataset, pinned), [day]))
        report = validate(self.engine(pinned.landed_rows([day])), dataset, pinned, day, self.config.state)
        keep(self.client, report, self.clock())
        verdict = "passed" if report.passed else "refused"
        log.info("the gate %s %s of %s: %d rows", verdict, dataset.name, day, report.rows)
        return report

    def validate_across(self, day: date, events: Dataset, orders: Dataset) -> GateReport:
        """Holds the orders of a day against the events that speak of them."""
        pinned = self.pinned(events), self.pinned(orders)
        near = [day + timedelta(days=away) for away in (-1, 0, 1)]
        engine = self.engine(sum(one.landed_rows(near) for one in pinned))
        report = validate_across(engine, *pinned, day, self.config.state)
        keep(self.client, report, self.clock())
        return report

    def recompute(self, dataset: Dataset, days: Collection[date], snapshot_id: int | None = None) -> Manifest:
        """Computes days, and those that must move with them, ready to be published."""
        pinned = self.pinned(dataset, snapshot_id)
        files = self.files(dataset, pinned)
        published = current_publications(self.client, dataset.name)
        work = Recompute(self.workers, self.results, pinned, files, published, self.rules)
        log.info("computing %s of %s: %d rows landed", dataset.name, named(days), pinned.landed_rows(sorted(days)))
        made = work.events(days) if dataset.name == "events" else work.orders(days)
        log.info("computed %s of %s as run %s", dataset.name, named(made.days), made.run)
        return made

    def publish(self, dataset: Dataset, day: date, run: str | None = None, *, or_newer: bool = False) -> PublishReport:
        """Publishes a finished recompute, by default the newest one that has the day.

        With `or_newer` it is as good if all its days are published from newer snapshots. Raises `PublicationRefused`.
        """
        manifest = self.results.manifest(dataset.name, run) if run else self.results.newest(dataset.name, day)
        copy_landings(self.client, dataset.name, self.pinned(dataset).commits)
        try:
            # Each attempt loads under a version of its own: what a lost one has loaded counts for nobody.
            report = again(lambda: self._publish(manifest), LostRace)
        except StalePublication:
            newer = newer_in_place(self.client, self.results, manifest) if or_newer else None
            if newer is None:
                raise
            report = newer
        said = "published" if report.published else "already in place:"
        log.info("%s %s of %s, version %d", said, dataset.name, named(report.days), report.version)
        return report

    def _publish(self, manifest: Manifest) -> PublishReport:
        attempt, horizon = secrets.randbelow(1 << ATTEMPT_BITS), Horizon(self.settings.horizon_days)
        return publish_run(self.client, self.results, manifest, horizon, self.clock(), attempt)

    def roll_back(self, dataset: Dataset, day: date) -> Rollback:
        """Points readers back to what was published of a day before, and of the days that moved with it."""
        done = roll_back(self.client, dataset.name, day, uuid4().hex, self.clock())
        log.info("%s of %s went back", dataset.name, named(done.versions))
        return done

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
