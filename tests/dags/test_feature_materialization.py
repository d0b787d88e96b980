"""The DAG that puts features online: what starts it, in which order, and what its commands' exit codes mean."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from feature_store.cli import Code
from infra.settings import ROOT

PROGRAM = """
import json, sys
from airflow.dag_processing.dagbag import DagBag

bag = DagBag(sys.argv[1], bundle_name="dags-folder")
dag = bag.dags["feature_materialization"]
tasks = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
assets = [asset.name for asset in dag.timetable.asset_condition.objects]
print("RESULT " + json.dumps({"errors": list(bag.import_errors.values()), "tasks": tasks, "assets": assets}))
"""


@pytest.fixture(scope="module")
def dag(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The DAG as Airflow reads it."""
    home = tmp_path_factory.mktemp("airflow")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT / "dags" / "feature_materialization.py")],
        env={**os.environ, "AIRFLOW_HOME": str(home)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    return json.loads(line.removeprefix("RESULT "))


def test_publications_start_it_and_the_report_comes_last(dag: Any) -> None:
    assert dag == {
        "errors": [],
        "tasks": {"materialize": ["check_consistency"], "check_consistency": ["report"], "report": []},
        "assets": ["publications"],
    }


def test_exit_codes_that_a_retry_cannot_mend_are_those_of_the_commands() -> None:
    text = Path(ROOT / "dags" / "feature_materialization.py").read_text()
    for code in (Code.GATE_REFUSED, Code.DIFFERS):
        assert f"{int(code)}: " in text.split("FINAL = ")[1].split("}")[0]
