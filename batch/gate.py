"""The gate: a landed day is held against the quality rules before anything is computed from it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from batch.datasets import Dataset
from batch.day_checks import across, needed, of_landings, of_rows
from batch.engine import Derived, Engine, Rows
from batch.expectations import Expectation, compiled, derived, not_null
from batch.snapshot import Pinned
from schemas.checks import Severity
from schemas.frames import POSITION
from schemas.gates import Check
from schemas.rules import RULES_VERSION, rules_for

REPORT = "report.json"
ACROSS = "across"
"""In place of a dataset: checks between both."""


@dataclass(frozen=True)
class GateReport:
    """The verdict on a day. `passed` unless a check of severity fail did not."""

    dataset: str
    day: date
    snapshot_id: int
    rules_version: str
    passed: bool
    rows: int
    checks: tuple[Check, ...]
    docs: str
    """The folder of the run's Data Docs; '' for checks between datasets."""

    @classmethod
    def of(cls, dataset: str, day: date, snapshot_id: int, rows: int, checks: Sequence[Check], docs: str) -> GateReport:
        """The verdict that follows from the checks."""
        passed = all(check.passed for check in checks if check.severity is Severity.FAIL)
        return cls(dataset, day, snapshot_id, RULES_VERSION, passed, rows, tuple(checks), docs)

    def broken(self, severity: Severity) -> tuple[Check, ...]:
        """The checks of this severity that did not pass."""
        return tuple(check for check in self.checks if check.severity is severity and not check.passed)

    def to_json(self) -> str:
        """The report as it is stored."""
        return json.dumps(asdict(self), default=str, indent=1)


def validate(engine: Engine[Rows], dataset: Dataset, pinned: Pinned, day: date, state: Path) -> GateReport:
    """Holds one day of a pinned snapshot against its rules; report and Data Docs are kept under `state`."""
    rules = rules_for(dataset.contract)
    folder = state / "gate" / dataset.name / day.isoformat() / str(pinned.snapshot_id)
    expected = [e for rule in rules for e in compiled(rule)]
    asked = [*not_null(dataset.never_null), *expected, *_of_day(pinned, day)]
    columns = [*derived(rules), *needed(dataset)]
    found = engine.derive(engine.pinned(pinned, [day]), columns)
    with engine.kept(engine.sql(_flat(dataset, columns), rows=found)) as rows:
        [[counted]] = engine.frame(engine.sql(_COUNT, rows=rows), {"n": pl.Int64()}).rows()
        checks = [
            *_run(engine, rows, asked, folder / "docs"),
            *of_rows(engine, rows, dataset, day),
            *of_landings(dataset, pinned, day),
        ]
    report = GateReport.of(dataset.name, day, pinned.snapshot_id, counted, checks, str(folder / "docs"))
    return _kept(report, folder)


def validate_across(engine: Engine[Rows], events: Pinned, orders: Pinned, day: date, state: Path) -> GateReport:
    """Holds the orders of a day against the events that speak of them. The report names the snapshot of events."""
    before, after = day - timedelta(days=1), day + timedelta(days=1)
    rows = engine.pinned(events, [before, day]), engine.pinned(orders, [before, day, after])
    checks = list(across(engine, *rows, day))
    folder = state / "gate" / ACROSS / day.isoformat() / f"{events.snapshot_id}-{orders.snapshot_id}"
    return _kept(GateReport.of(ACROSS, day, events.snapshot_id, 0, checks, ""), folder)


_COUNT = "SELECT COUNT(*) AS n FROM {rows}"


def _flat(dataset: Dataset, more: Sequence[Derived]) -> str:
    """The columns of single values, which expectations speak of."""
    flat = [name for name, kind in dataset.table.frame_schema.items() if not kind.is_nested()]
    return f"SELECT {', '.join((*flat, *(column.name for column in more)))} FROM {{rows}}"


def _kept(report: GateReport, folder: Path) -> GateReport:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT).write_text(report.to_json())
    return report


def _of_day(pinned: Pinned, day: date) -> Iterator[Expectation]:
    landed = pinned.landed_rows([day])
    yield Expectation(
        "rows_as_landed",
        "ExpectTableRowCountToEqual",
        {"value": landed},
        Severity.FAIL,
        "the day has as many rows as its landings brought",
    )
    yield Expectation(
        "positions_unique",
        "ExpectCompoundColumnsToBeUnique",
        {"column_list": list(POSITION)},
        Severity.WARN,
        "no range was landed twice; readers count each position once all the same",
    )
    yield Expectation(
        "rows_present", "ExpectTableRowCountToBeBetween", {"min_value": 1}, Severity.WARN, "the day has rows"
    )


def _run(engine: Engine[Rows], rows: Rows, asked: Sequence[Expectation], docs: Path) -> list[Check]:
    """Asks all at once for success, which is one pass over the rows, and then only what is broken for details."""
    with _quiet():
        from batch import gx_import as gx

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        context.add_data_docs_site("local", _site(docs))
        ask = partial(_ask, context, *engine.expectable(context, rows))
        outcomes = ask("day", asked, "BOOLEAN_ONLY")
        broken = [one for one in asked if not outcomes[one.name].success]
        outcomes |= ask("broken", broken, "SUMMARY") if broken else {}
        context.build_data_docs(site_names=["local"])
    return [_check(one, outcomes[one.name]) for one in asked]


def _ask(context: Any, data: Any, rows: Any, suite: str, asked: Sequence[Expectation], detail: str) -> dict[str, Any]:
    """Name of each expectation -> what Great Expectations answers."""
    from batch import gx_import as gx

    expected = context.suites.add(gx.ExpectationSuite(name=suite, expectations=[_expectation(one) for one in asked]))
    definition = gx.ValidationDefinition(name=suite, data=data, suite=expected)
    definition = context.validation_definitions.add(definition)
    result = definition.run(batch_parameters={"dataframe": rows}, result_format=detail)
    outcomes = {outcome.expectation_config.meta["name"]: outcome for outcome in result.results}
    for name, outcome in outcomes.items():
        if outcome.exception_info and _raised(outcome.exception_info):
            raise ExpectationBroken(name, str(outcome.exception_info))
    return outcomes


def _expectation(asked: Expectation) -> Any:
    from batch.gx_import import expectations

    severity = {Severity.FAIL: "critical", Severity.WARN: "warning"}[asked.severity]
    kind = getattr(expectations, asked.kind)
    return kind(**asked.arguments, severity=severity, notes=asked.meaning, meta={"name": asked.name})


def _check(asked: Expectation, outcome: Any) -> Check:
    result = outcome.result or {}
    unexpected = int(result.get("unexpected_count") or 0)
    observed = result.get("observed_value", result.get("partial_unexpected_list", ""))
    return Check(asked.name, asked.severity, asked.meaning, bool(outcome.success), unexpected, str(observed)[:200])


def _raised(info: dict[str, Any]) -> bool:
    """Great Expectations tells of exceptions in one of two shapes: of the expectation, or by metric."""
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(part.get("raised_exception") for part in info.values() if isinstance(part, dict))


class ExpectationBroken(Exception):
    """An expectation could not be evaluated, so nothing is known of the day. Mend the cause and validate again."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"expectation {name} could not be evaluated: {why[:500]}")
        self.name, self.why = name, why


def _site(docs: Path) -> dict[str, Any]:
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.absolute())}
    return {
        "class_name": "SiteBuilder",
        "store_backend": store,
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Great Expectations logs hundreds of lines at import, and reports its use to its makers unless told not to."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
