"""The report of a day: what the gate said and what is published, as JSON for programs and Markdown for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from batch.gate import REPORT
from batch.publication import Publication


@dataclass(frozen=True)
class QualityReport:
    """Gates and publications of a day."""

    day: date
    gates: Mapping[str, Mapping[str, Any]]
    """Dataset -> the newest report of the gate; a dataset that was never validated is absent."""
    publications: Mapping[str, Publication | None]
    folder: Path

    @property
    def complete(self) -> bool:
        """Whether every dataset passed its gate and is published."""
        passed = all(self.gates.get(name, {}).get("passed") for name in self.publications)
        return passed and all(self.publications.values())

    def to_json(self) -> str:
        """The report for programs."""
        return json.dumps({**asdict(self), "complete": self.complete}, default=str, indent=1)

    def to_markdown(self) -> str:
        """The report for people."""
        return "\n".join(_lines(self)) + "\n"


def quality_report(state: Path, day: date, publications: Mapping[str, Publication | None]) -> QualityReport:
    """Collects the report of a day and keeps it as `report.json` and `report.md` under `state`."""
    gates = {name: found for name in publications if (found := _newest_gate(state, name, day))}
    report = QualityReport(day, gates, publications, state / "reports" / day.isoformat())
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
    yield f"# {report.day}"
    for name, publication in report.publications.items():
        yield f"\n## {name}\n"
        gate = report.gates.get(name)
        if gate is None:
            yield "- gate: not validated"
        else:
            yield f"- gate: {'passed' if gate['passed'] else 'REFUSED'}, {gate['rows']} rows"
            broken = (check for check in gate["checks"] if not check["passed"])
            yield from (f"  - {check['severity']}: {check['meaning']} ({check['observed']})" for check in broken)
        if publication is None:
            yield "- publication: none"
        else:
            sealed = ", sealed" if publication.sealed else ""
            yield f"- publication {publication.sequence}: version {publication.version}{sealed}"
