"""The steps of the batch layer, each with all that it needs, each safe to do again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

from batch.datasets import Dataset
from batch.gate import GateReport
from batch.land import LandingReport
from batch.steps.days import DaySteps
from batch.steps.features import FeatureSteps
from batch.steps.lake import LakeSteps
from batch.steps.reports import ReportSteps
from batch.warehouse import PublishReport
from infra.settings import Settings
from schemas.checks import Severity


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


class Steps(LakeSteps, DaySteps, FeatureSteps, ReportSteps):
    """All of them, in one process."""

    def run(self, dataset: Dataset, days: Collection[date], chunk: int, *, accept_loss: bool) -> RunReport:
        """Lands, validates, recomputes and publishes days from the snapshot that it landed. Raises `GateRefused`."""
        landed = self.land(dataset, chunk, accept_loss=accept_loss)
        gates = [self.validate(dataset, day, landed.snapshot_id) for day in sorted(days)]
        for refused in (gate for gate in gates if not gate.passed):
            raise GateRefused(refused)
        computed = self.recompute(dataset, days, landed.snapshot_id)
        warnings = tuple(f"{gate.day} {check.name}" for gate in gates for check in gate.broken(Severity.WARN))
        return RunReport(landed, warnings, self.publish(dataset, min(days), computed.run))


@contextmanager
def open_steps(settings: Settings) -> Iterator[Steps]:
    """The steps, with everything closed at the end that they opened."""
    with ExitStack() as resources:
        yield Steps(settings, lambda: datetime.now(UTC), resources)
