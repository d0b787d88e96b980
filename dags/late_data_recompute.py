"""Computes closed days again that late records touched: exactly those, once each, in one publication per dataset.

Started by the asset `late_data`, which `lake_landing` changes. Several changes that come while a run is under way make
one more run. Which days are due is asked anew at the start, so a run that finds none ends; a day ceases to be late by
being published past its late records, never by being noted somewhere.

**When it fails**: nothing was published, readers have the day as it was, with late records answered by the speed layer.
Clear the failed task, or leave it: the next landing starts it again. A day that the gate refuses is left out and told;
look at its Data Docs. Exit code 5 says that something newer is in place, which is as good.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.commands import (
    DATASETS,
    DEFAULTS,
    LATE_DATA,
    PUBLICATIONS,
    SPARK_POOL,
    batch,
    deadline,
    each_day,
    parameter,
)


@dag(
    schedule=[LATE_DATA],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    params={
        "wait": Param(30, type="integer", minimum=0, description="Minutes that late records of a day wait for more."),
        "cap": Param(4, type="integer", minimum=1, description="How often a day is published in 24 hours at most."),
    },
    deadline=deadline("late_data_recompute", timedelta(hours=3)),
    tags=["batch"],
    doc_md=__doc__,
)
def late_data_recompute() -> None:
    """On late data: list the days, compute and publish them again, report them."""

    @task(doc_md="The days that are due now, by dataset. Skips the run if another one has published them.")
    def due_days() -> dict[str, list[str]]:
        late = batch("late", "--wait", str(parameter("wait")), "--cap", str(parameter("cap")))
        days = {name: sorted(one["day"] for one in late if one["dataset"] == name) for name in DATASETS}
        if not any(days.values()):
            raise AirflowSkipException("no closed day is due for a recompute")
        return days

    @task(
        pool=SPARK_POOL,
        doc_md="Holds each day against the rules, and computes those that pass, with all that must move with them.",
    )
    def recompute(due: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
        made = {name: one for name in DATASETS if (one := _recomputed(name, due[name]))}
        if not made:
            raise AirflowSkipException("the gate refused every day; see their Data Docs")
        return made

    @task(pool=SPARK_POOL, outlets=[PUBLICATIONS], doc_md="Publishes what was computed, and its features.")
    def publish(made: dict[str, dict[str, Any]], *, outlet_events: Any) -> list[str]:
        done = [_published(name, one) for name, one in made.items()]
        days = sorted({day for one in done for day in one["days"]})
        versions = {one["dataset"]: one["version"] for one in done}
        offsets = {name: one["offsets"] for name, one in made.items()}
        outlet_events[PUBLICATIONS].extra = {"days": days, "versions": versions, "offsets": offsets}
        return days

    @task(doc_md="Writes the report of each day that changed, and sends it.")
    def report(days: list[str]) -> None:
        for day in days:
            batch("notify", "--day", day)

    report(publish(recompute(due_days())))


def _recomputed(dataset: str, days: list[str]) -> dict[str, Any] | None:
    checked = [
        report for day in days for report in batch("validate", "--day", day, "--dataset", dataset, "--report-only")
    ]
    passed = [report["day"] for report in checked if report["passed"]]
    if not passed:
        return None
    (manifest,) = batch("recompute", *each_day(passed), "--dataset", dataset)
    return {"run": manifest["run"], "day": passed[0], "offsets": manifest["coverage"]["end"]}


def _published(dataset: str, made: dict[str, Any]) -> dict[str, Any]:
    (done,) = batch("publish", "--day", made["day"], "--dataset", dataset, "--run", made["run"])
    return dict(done)


late_data_recompute()
