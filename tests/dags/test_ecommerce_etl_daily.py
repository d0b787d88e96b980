"""The DAGs parse, say what operators need to know, and ask the batch layer for the right things in the right order."""

from __future__ import annotations

import json

import pytest

from infra.settings import ROOT
from tests.dags.conftest import Airflow

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

DAG = "ecommerce_etl_daily"
GOOD: dict[str, object] = {
    "land": {"say": [{"topic": "user-events", "snapshot_id": 11, "end": {"0": 5}}]},
    "validate": {
        "say": [
            {"day": "2026-03-02", "dataset": "events", "snapshot_id": 11, "passed": True},
            {"day": "2026-03-02", "dataset": "orders", "snapshot_id": 22, "passed": True},
        ]
    },
    "recompute": {"say": [{"run": "run-DATASET", "coverage": {"end": {"0": 5}}}]},
    "segments": {"say": {"rows": {"user_features": {"2026-03-02": 1}}}},
    "recommendations": {"say": {"rows": {"product_features": {"2026-03-02": 1}}}},
    "publish": {"say": [{"dataset": "DATASET", "version": 7, "days": ["2026-03-02"]}]},
    "features": {"say": {"loaded": True}},
    "report": {"say": {"complete": True}},
    "notify": {"say": {"complete": True}},
}
LOOK = """
import json, sys
from airflow.dag_processing.dagbag import DagBag

bag = DagBag(sys.argv[1], bundle_name="dags-folder")
tasks = {
    task.task_id: {
        "owner": task.owner, "retries": task.retries, "backoff": bool(task.retry_exponential_backoff),
        "timeout": task.execution_timeout.total_seconds(), "doc": task.doc_md, "before": sorted(task.upstream_task_ids),
    }
    for dag in bag.dags.values() for task in dag.tasks if dag.dag_id == sys.argv[2]
}
deadlines = {id: [type(one.reference).__name__ for one in dag.deadline or ()] for id, dag in bag.dags.items()}
about = {id: [dag.doc_md, dag.catchup, dag.max_active_runs, deadlines[id]] for id, dag in bag.dags.items()}
tasks_of_all = [
    {"pool": task.pool, "told": bool(task.on_failure_callback), "doc": task.doc_md, "owner": task.owner}
    for dag in bag.dags.values() for task in dag.tasks if dag.dag_id != "feature_materialization"
]
print("RESULT " + json.dumps({"errors": bag.import_errors, "tasks": tasks, "dags": about, "all": tasks_of_all}))
"""


def test_every_task_says_who_owns_it_and_ends_some_time(airflow: Airflow) -> None:
    said = airflow.python(LOOK, str(ROOT / "dags"), DAG)
    found = json.loads(next(line for line in said.splitlines() if line.startswith("RESULT "))[7:])
    assert found["errors"] == {}
    for name in (DAG, "lake_landing", "late_data_recompute", "maintenance"):
        doc, catchup, active, deadline = found["dags"][name]
        # Tasks of a run whose deadline counts from when it was queued cannot be cleared: Airflow fails.
        assert ("**When it fails**" in doc, catchup, active, deadline) == (True, False, 1, ["AverageRuntimeDeadline"])
    assert {task["pool"] for task in found["all"]} == {"spark", "default_pool"}
    assert all(task["told"] and task["doc"] and task["owner"] != "airflow" for task in found["all"])
    for task in found["tasks"].values():
        assert task["doc"]
        assert task["owner"] != "airflow"
        assert task["retries"] > 0
        assert task["backoff"]
        assert 0 < task["timeout"] <= 7200
    before = {name: task["before"] for name, task in found["tasks"].items()}
    derived = ["calculate_user_segments", "generate_recommendation_features"]
    assert before["process_events"] == before["aggregate_transactions"] == ["validate_raw_data"]
    assert {tuple(before[name]) for name in derived} == {("aggregate_transactions", "process_events")}
    assert set(derived) <= set(before["load_to_warehouse"])
    assert (before["quality_report"], before["notify"]) == (["load_to_warehouse"], ["quality_report"])


def test_a_run_works_on_the_day_before_and_hands_on_what_it_validated(airflow: Airflow) -> None:
    tried = airflow.run(DAG, "2026-03-03T02:00:00+00:00", GOOD)
    assert tried.state == "success"
    day, dataset, snapshot, run = "--day 2026-03-02", "--dataset", "--snapshot", "--run"
    asked = [" ".join(command) for command in tried.asked]
    assert asked[:2] == ["land --json", f"validate {day} --missed --json"]
    assert set(asked[2:4]) == {
        f"recompute {day} {dataset} events {snapshot} 11 --json",
        f"recompute {day} {dataset} orders {snapshot} 22 --json",
    }
    assert set(asked[4:6]) == {
        f"segments {day} {run} run-events --orders-run run-orders --json",
        f"recommendations {day} {run} run-events --orders-run run-orders --json",
    }
    assert asked[6:] == [
        f"publish {day} {dataset} events {run} run-events --or-newer --json",
        f"publish {day} {dataset} orders {run} run-orders --or-newer --json",
        f"features {day} --json",
        f"report {day} --reconcile --json",
        f"notify {day} --json",
    ]


INTERVAL = """
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import patch
from dags import commands

asked = {"params": {"day": None}, "dag_run": SimpleNamespace(run_after=datetime(2026, 3, 3, 19, 0, tzinfo=UTC))}
with patch.object(commands, "get_current_context", lambda: asked):
    print("RESULT", commands.day_of_run())
"""


def test_a_run_that_was_triggered_without_a_date_takes_the_day_before(airflow: Airflow) -> None:
    assert airflow.python(INTERVAL).splitlines()[-1] == "RESULT 2026-03-02"


MISSED = """
from types import SimpleNamespace
from unittest.mock import patch
from airflow.utils.types import DagRunType
from dags import commands

for kind in DagRunType:
    with patch.object(commands, "get_current_context", lambda: {"dag_run": SimpleNamespace(run_type=kind)}):
        print("RESULT", kind.value, *commands.missed_too())
"""


def test_only_runs_of_a_backfill_leave_missed_days_to_their_own_runs(airflow: Airflow) -> None:
    said = [line.split()[1:] for line in airflow.python(MISSED).splitlines() if line.startswith("RESULT")]
    assert ["backfill"] in said
    assert {tuple(options) for kind, *options in said if kind != "backfill"} == {("--missed",)}


def test_a_run_takes_along_missed_days_that_pass(airflow: Airflow) -> None:
    days = {"2026-02-27": False, "2026-02-28": True, "2026-03-02": True}
    reports = [
        {"day": day, "dataset": dataset, "snapshot_id": snapshot, "passed": passed or dataset == "orders"}
        for day, passed in days.items()
        for dataset, snapshot in (("events", 11), ("orders", 22))
    ]
    tried = airflow.run(DAG, "2026-03-03T02:00:00+00:00", GOOD | {"validate": {"say": reports}})
    assert tried.state == "success"
    recomputed = [" ".join(command) for command in tried.asked if command[0] == "recompute"]
    assert len(recomputed) == 2
    assert all(command.startswith("recompute --day 2026-02-28 --day 2026-03-02 --dataset") for command in recomputed)


def test_a_refused_day_is_reported_and_not_tried_again(airflow: Airflow) -> None:
    bad = GOOD | {
        "validate": {"say": [], "exit": 4},
        "report": {"say": {"complete": False}},
        "notify": {"say": {}, "exit": 6},
        "alert": {"say": {}},
    }
    tried = airflow.run(DAG, "2026-03-04T02:00:00+00:00", bad, {"day": "2026-02-01"})
    assert tried.state == "failed"
    assert tried.tasks["process_events"] == "upstream_failed"
    assert tried.tasks["quality_report"] == "success"
    alerts = [command for command in tried.asked if command[0] == "alert"]
    others = [command for command in tried.asked if command[0] != "alert"]
    assert [command[0] for command in others] == ["land", "validate", "report", "notify"]
    assert all("2026-02-01" in command for command in others[1:])
    assert [text.split(" failed in run")[0] for _, _, text in alerts] == [f"{DAG}.validate_raw_data", f"{DAG}.notify"]
