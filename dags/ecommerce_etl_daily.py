"""The daily batch: validate a UTC day, compute it from the lake, and make it the answer.

Days of the week before that no run has published go with it, if they pass the gate.

When, never what: each task runs `python -m batch ...`, the same command that a person would run in a shell, and hands
on the snapshot of the lake or the run that the next one is to take.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.sdk import Asset, CronDataIntervalTimetable, Param, TriggerRule, dag, get_current_context, task

PUBLICATIONS = Asset(name="publications", uri="rivermeet://publications")
"""Changes when days were published."""

DATASETS = ("events", "orders")
FINAL = {2: "wrong usage", 4: "the gate refused the day", 5: "the publication was refused", 6: "the day is not whole"}
"""Exit codes of `python -m batch` that a retry cannot mend."""

DEFAULTS = {
    "owner": "data-platform",
    "retries": 3,
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=20),
    "execution_timeout": timedelta(hours=2),
}


def batch(*arguments: str) -> Any:
    """Runs `python -m batch` with these arguments and `--json`; returns its document or fails as its exit code says."""
    command = [sys.executable, "-m", "batch", *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode in FINAL:
        raise AirflowFailException(f"{' '.join(command[1:])}: {FINAL[done.returncode]}; see the log above")
    if done.returncode:
        raise AirflowException(f"{' '.join(command[1:])} ended with {done.returncode}; see the log above")
    return json.loads(done.stdout)


def day_of_run() -> str:
    """The day that is asked for, else the UTC day before the end of the data interval, which is at 02:00."""
    context = get_current_context()
    return str(context["params"]["day"] or (context["data_interval_end"] - timedelta(days=1)).date())


@dag(
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # Spark takes all cores of a small machine: one task at a time, in one run at a time.
    max_active_runs=1,
    max_active_tasks=1,
    default_args=DEFAULTS,
    params={"day": Param(None, type=["null", "string"], format="date", description="A UTC day, instead of yesterday.")},
    tags=["batch"],
    doc_md=__doc__,
)
def ecommerce_etl_daily() -> None:
    """Runs at 02:00 UTC for the previous UTC day, which is over for long enough by then to be published."""

    @task(
        doc_md="Lands what is new in Kafka, and holds the day and those that were missed against the quality rules."
        " A refused day ends the run; a missed one that is refused is left out."
    )
    def validate_raw_data() -> dict[str, Any]:
        batch("land")
        reports = batch("validate", "--day", day_of_run(), "--missed")
        refused = {report["day"] for report in reports if not report["passed"]}
        days = sorted({report["day"] for report in reports} - refused)
        return {"days": days, "snapshots": {report["dataset"]: report["snapshot_id"] for report in reports}}

    @task(doc_md="Computes sessions, facts and product counters of the day, and of days that sessions connect with it.")
    def process_events(validated: dict[str, Any]) -> str:
        return _recompute("events", validated)

    @task(doc_md="Computes the order facts of the day.")
    def aggregate_transactions(validated: dict[str, Any]) -> str:
        return _recompute("orders", validated)

    @task(doc_md="Writes what each user did on the day, and the segment that this makes, to the lake.")
    def calculate_user_segments(run: str) -> dict[str, int]:
        return dict(batch("segments", "--day", day_of_run(), "--run", run)["rows"])

    @task(doc_md="Writes the pairs of products that were seen in one session of the day to the lake.")
    def generate_recommendation_features(run: str) -> dict[str, int]:
        return dict(batch("recommendations", "--day", day_of_run(), "--run", run)["rows"])

    @task(outlets=[PUBLICATIONS], doc_md="Loads both runs into ClickHouse, compares, and points the readers at them.")
    def load_to_warehouse(events: str, orders: str) -> dict[str, int]:
        runs = zip(DATASETS, (events, orders), strict=True)
        done = [_publish(dataset, run) for dataset, run in runs]
        return {report["dataset"]: report["version"] for report in done}

    @task(
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="Writes down what the gate said and what is published, also if tasks failed.",
    )
    def quality_report() -> bool:
        return bool(batch("report", "--day", day_of_run())["complete"])

    @task(
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="Sends the report on. Fails, and the run with it, if the day is not whole.",
    )
    def notify() -> None:
        batch("notify", "--day", day_of_run())

    validated = validate_raw_data()
    events, orders = process_events(validated), aggregate_transactions(validated)
    derived = [calculate_user_segments(events), generate_recommendation_features(events)]
    orders >> derived
    derived >> load_to_warehouse(events, orders) >> quality_report() >> notify()


def _recompute(dataset: str, validated: dict[str, Any]) -> str:
    days = [part for day in validated["days"] for part in ("--day", day)]
    snapshot = str(validated["snapshots"][dataset])
    (manifest,) = batch("recompute", *days, "--dataset", dataset, "--snapshot", snapshot)
    return str(manifest["run"])


def _publish(dataset: str, run: str) -> dict[str, Any]:
    (report,) = batch("publish", "--day", day_of_run(), "--dataset", dataset, "--run", run)
    return dict(report)


ecommerce_etl_daily()
