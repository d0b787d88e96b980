"""The daily batch: validate a UTC day, compute it from the lake, and make it the answer.

Days of the week before that no run has published go with it, if they pass the gate; not in a backfill, which has a run
for each of its days.

When, never what: each task runs `python -m batch ...`, the same command that a person would run in a shell, and hands
on the snapshot of the lake or the run that the next one is to take.

**When it fails**: readers have what they had before; nothing half-made is ever shown. Read the last lines of the failed
task's log: they say what was refused, and dags/README.md, "At 02:00", says what to do. Clearing any task is safe.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, TriggerRule, dag, task

from dags.commands import (
    DATASETS,
    DEFAULTS,
    LAKE,
    PUBLICATIONS,
    SPARK_POOL,
    batch,
    day_of_run,
    deadline,
    each_day,
    missed_too,
    parameter,
)


@dag(
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    params={
        "day": Param(None, type=["null", "string"], format="date", description="A UTC day, instead of yesterday."),
        "accept_loss": Param(
            default=False, type="boolean", description="Go on without records that Kafka deleted before they landed."
        ),
    },
    deadline=deadline("ecommerce_etl_daily", timedelta(hours=3)),
    tags=["batch"],
    doc_md=__doc__,
)
def ecommerce_etl_daily() -> None:
    """Runs at 02:00 UTC for the previous UTC day, which is over for long enough by then to be published."""

    @task(
        pool=SPARK_POOL,
        outlets=[LAKE],
        doc_md="Lands what is new in Kafka, and holds the day and those that were missed against the quality rules."
        " A refused day ends the run; a missed one that is refused is left out. **If it fails with exit code 4**, open"
        " the Data Docs that the log names, mend or accept the data, and clear this task.",
    )
    def validate_raw_data(*, outlet_events: Any) -> dict[str, Any]:
        landed = batch("land", *(["--accept-loss"] if parameter("accept_loss") else []))
        ends = {one["topic"]: {"snapshot": one["snapshot_id"], "offsets": one["end"]} for one in landed}
        outlet_events[LAKE].extra = {"landings": ends}
        reports = batch("validate", "--day", day_of_run(), *missed_too())
        refused = {report["day"] for report in reports if not report["passed"]}
        days = sorted({report["day"] for report in reports} - refused)
        snapshots = {report["dataset"]: report["snapshot_id"] for report in reports}
        return {"days": days, "snapshots": {name: snapshots[name] for name in DATASETS}}

    @task(
        pool=SPARK_POOL,
        doc_md="Computes sessions, facts and product counters of the day, and of days that sessions connect with it."
        " Safe to clear: a run writes into a folder of its own.",
    )
    def process_events(validated: dict[str, Any]) -> dict[str, Any]:
        return _recompute("events", validated)

    @task(pool=SPARK_POOL, doc_md="Computes the order facts of the day. Safe to clear.")
    def aggregate_transactions(validated: dict[str, Any]) -> dict[str, Any]:
        return _recompute("orders", validated)

    @task(
        pool=SPARK_POOL,
        doc_md="Writes to the lake what each user did on the day, and folds 30 days of it into segments, lifecycle,"
        " churn risk and affinity. Overwrites its days: safe to clear.",
    )
    def calculate_user_segments(events: dict[str, Any], orders: dict[str, Any]) -> dict[str, Any]:
        return dict(batch("segments", *_runs(events, orders))["rows"])

    @task(
        pool=SPARK_POOL,
        doc_md="Writes to the lake what happened to each product, and folds 30 days of it into popularity, prices,"
        " trend, and the products that go together. Overwrites its days: safe to clear.",
    )
    def generate_recommendation_features(events: dict[str, Any], orders: dict[str, Any]) -> dict[str, Any]:
        return dict(batch("recommendations", *_runs(events, orders))["rows"])

    @task(
        outlets=[PUBLICATIONS],
        doc_md="Loads both runs into ClickHouse, compares, and points the readers at them; then the features. Days that"
        " are published from newer snapshots stay so. **Exit code 5** says that days must move together which were not"
        " computed: clear from validate_raw_data.",
    )
    def load_to_warehouse(events: dict[str, Any], orders: dict[str, Any], *, outlet_events: Any) -> dict[str, int]:
        runs = dict(zip(DATASETS, (events, orders), strict=True))
        done = [_publish(dataset, run["run"]) for dataset, run in runs.items()]
        batch("features", "--day", day_of_run())
        versions = {report["dataset"]: report["version"] for report in done}
        offsets = {dataset: run["offsets"] for dataset, run in runs.items()}
        days = sorted({day for report in done for day in report["days"]})
        outlet_events[PUBLICATIONS].extra = {"days": days, "versions": versions, "offsets": offsets}
        return versions

    @task(
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="Compares the speed layer with what is published, and writes down numbers, gates and publications, also"
        " if tasks failed.",
    )
    def quality_report() -> bool:
        return bool(batch("report", "--day", day_of_run(), "--reconcile")["complete"])

    @task(
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="Sends the report on. Fails, and the run with it, if the day is not whole.",
    )
    def notify() -> None:
        batch("notify", "--day", day_of_run())

    validated = validate_raw_data()
    events, orders = process_events(validated), aggregate_transactions(validated)
    derived = [calculate_user_segments(events, orders), generate_recommendation_features(events, orders)]
    derived >> load_to_warehouse(events, orders) >> quality_report() >> notify()


def _recompute(dataset: str, validated: dict[str, Any]) -> dict[str, Any]:
    snapshot = str(validated["snapshots"][dataset])
    days = each_day(validated["days"])
    (manifest,) = batch("recompute", *days, "--dataset", dataset, "--snapshot", snapshot)
    return {"run": manifest["run"], "offsets": manifest["coverage"]["end"]}


def _runs(events: dict[str, Any], orders: dict[str, Any]) -> list[str]:
    return ["--day", day_of_run(), "--run", events["run"], "--orders-run", orders["run"]]


def _publish(dataset: str, run: str) -> dict[str, Any]:
    (report,) = batch("publish", "--day", day_of_run(), "--dataset", dataset, "--run", run, "--or-newer")
    return dict(report)


ecommerce_etl_daily()
