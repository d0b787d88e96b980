"""What is known of days: speed against batch, late records, reports, where a number comes from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from batch.datasets import DATASETS, Dataset
from batch.late import LateDay, Patience, late_days
from batch.numbers import day_numbers
from batch.publication import Publication, snapshot_sequence
from batch.publish import current_publications
from batch.reconcile import NotComparable, Reconciliation, newest, reconcile_day
from batch.report import QualityReport, keep, newest_gates
from batch.steps.resources import Resources
from schemas.lateness import Horizon

if TYPE_CHECKING:
    from batch.explain import Explanation


class ReportSteps(Resources):
    """What is asked of days."""

    def reconcile(self, dataset: Dataset, day: date) -> Reconciliation:
        """Compares the speed layer with what is published of a day."""
        published = current_publications(self.client, dataset.name).get(day)
        horizon = Horizon(self.settings.horizon_days)
        return reconcile_day(self.client, dataset.name, published, day, horizon, self.clock())

    def late(self, dataset: Dataset, patience: Patience) -> list[LateDay]:
        """The published days with landed records past their cut that are due for a recompute."""
        current = current_publications(self.client, dataset.name).values()
        found = late_days(self.client, dataset.name, current, self.clock())
        return [one for one in found if patience.is_due(one, self.clock())]

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
        return keep(found)

    def _known(self, current: Mapping[str, Publication | None]) -> dict[str, Reconciliation | str]:
        found = {name: newest(self.client, published) for name, published in current.items() if published}
        return {name: one for name, one in found.items() if one}

    def _compared(self, dataset: Dataset, day: date) -> Reconciliation | str:
        try:
            return self.reconcile(dataset, day)
        except NotComparable as error:
            return error.why
