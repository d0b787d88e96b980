"""The report of a day: numbers, gates, publications, reconciliation; as JSON for programs, Markdown for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from batch.gate import ACROSS, REPORT
from batch.markdown import table
from batch.publication import Publication
from batch.reconcile import Reconciliation
from schemas.checks import Severity

Row = Mapping[str, Any]


@dataclass(frozen=True)
class QualityReport:
    """What is known of a day."""

    day: date
    gates: Mapping[str, Mapping[str, Any]]
    """Dataset, or `across`, -> the newest report of the gate; what was never validated is absent."""
    publications: Mapping[str, Publication | None]
    folder: Path
    numbers: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """View of daily figures -> its rows of the day, as readers get them."""
    reconciliation: Mapping[str, Reconciliation | str] = field(default_factory=dict)
    """Dataset -> the comparison with the speed layer, or why there is none."""
    docs_url: str = ""
    """Where the state folder is served."""

    @property
    def complete(self) -> bool:
        """Whether every dataset passed its gate and is published, and the speed layer agrees."""
        passed = all(self.gates.get(name, {}).get("passed") for name in self.publications)
        across = self.gates.get(ACROSS, {}).get("passed", True)
        return bool(passed and across and all(self.publications.values()) and self.agrees)

    @property
    def agrees(self) -> bool:
        """Whether no comparison with the speed layer failed."""
        found = (one for one in self.reconciliation.values() if isinstance(one, Reconciliation))
        return all(one.check.severity is not Severity.FAIL for one in found)

    def to_json(self) -> str:
        """The report for programs."""
        return json.dumps({**asdict(self), "complete": self.complete}, default=str, indent=1)

    def to_markdown(self) -> str:
        """The report for people."""
        return "\n".join(_lines(self)) + "\n"


def newest_gates(state: Path, day: date, datasets: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The newest report of the gate by dataset, and of the checks between datasets."""
    return {name: found for name in (*datasets, ACROSS) if (found := _newest_gate(state, name, day))}


def keep(report: QualityReport) -> QualityReport:
    """Writes `report.json` and `report.md` into the folder of the report."""
    report.folder.mkdir(parents=True, exist_ok=True)
    (report.folder / "report.json").write_text(report.to_json())
    (report.folder / "report.md").write_text(report.to_markdown())
    return report


def _newest_gate(state: Path, dataset: str, day: date) -> Mapping[str, Any] | None:
    folder = state / "gate" / dataset / day.isoformat()
    reports = sorted(folder.glob(f"*/{REPORT}"), key=lambda path: path.stat().st_mtime_ns)
    found: dict[str, Any] | None = json.loads(reports[-1].read_text()) if reports else None
    return found


def _lines(report: QualityReport) -> Iterator[str]:
    yield f"# {report.day}: {'whole' if report.complete else 'NOT WHOLE'}"
    for name, publication in report.publications.items():
        yield f"\n## {name}\n"
        yield from _gate(report.gates.get(name), report)
        yield from _publication(publication)
        if name in report.reconciliation:
            yield from _agreement(report.reconciliation[name])
    if ACROSS in report.gates:
        yield "\n## orders and events\n"
        yield from _gate(report.gates[ACROSS], report)
    for view, rows in report.numbers.items():
        yield f"\n## {view}\n"
        yield from table(rows)
    if report.docs_url:
        yield f"\nReport: {report.docs_url}/reports/{report.day}/report.md"


def _gate(gate: Mapping[str, Any] | None, report: QualityReport) -> Iterator[str]:
    if gate is None:
        yield "- gate: not validated"
        return
    yield f"- gate: {'passed' if gate['passed'] else 'REFUSED'}, {gate['rows']} rows"
    broken = (check for check in gate["checks"] if not check["passed"])
    yield from (f"  - {check['severity']}: {check['meaning']} ({check['observed']})" for check in broken)
    if report.docs_url and gate["docs"]:
        yield f"  - Data Docs: {_link(report, Path(gate['docs']))}/index.html"


def _link(report: QualityReport, docs: Path) -> str:
    """The address of a folder below the state folder, which holds `reports/<day>`."""
    state = report.folder.parents[1]
    return f"{report.docs_url}/{docs.relative_to(state)}" if docs.is_relative_to(state) else str(docs)


def _publication(publication: Publication | None) -> Iterator[str]:
    if publication is None:
        yield "- publication: none"
        return
    sealed = ", sealed" if publication.sealed else ""
    yield f"- publication {publication.sequence}: version {publication.version}{sealed}"


def _agreement(found: Reconciliation | str) -> Iterator[str]:
    if isinstance(found, str):
        yield f"- speed layer: not compared, {found}"
        return
    if found.equal == found.groups:
        yield f"- speed layer: agrees in all {found.groups} groups"
        return
    counts = f"{found.differing} differ, {found.missing} missing, {found.extra} extra"
    yield f"- speed layer: of {found.groups} groups {counts}; SMAPE {found.smape:.4f}"
    yield from (f"  - {offender}" for offender in found.worst)
