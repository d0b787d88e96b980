"""An Airflow of the test run's own: a database, and a `batch` package that records what tasks ask of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.settings import ROOT

RECORDER = """
import json, os, sys
from pathlib import Path

folder = Path(os.environ["RECORDER"])
asked = sys.argv[1:]
with (folder / "asked.jsonl").open("a") as file:
    file.write(json.dumps(asked) + chr(10))
answer = json.loads((folder / "answers.json").read_text())[asked[0]]
dataset = asked[asked.index("--dataset") + 1] if "--dataset" in asked else ""
print(json.dumps(answer["say"]).replace("DATASET", dataset))
sys.exit(answer.get("exit", 0))
"""

RUNS = """
import datetime, json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.models.asset import AssetEvent, AssetModel
from airflow.utils.session import create_session
from sqlalchemy import select

bag = DagBag(sys.argv[1], bundle_name="dags-folder")
for line in sys.stdin:
    dag_id, at, conf = json.loads(line)
    dag = bag.get_dag(dag_id)
    # A run that is only tried looks for stored deadlines, and none are.
    dag.deadline = None
    run = dag.test(logical_date=datetime.datetime.fromisoformat(at), run_conf=conf)
    states = {task.task_id: str(task.state) for task in run.get_task_instances()}
    with create_session() as session:
        rows = session.execute(
            select(AssetModel.name, AssetEvent.extra)
            .join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
            .where(AssetEvent.source_run_id == run.run_id)
        ).all()
    assets = {name: extra for name, extra in rows}
    print("RESULT " + json.dumps({"state": str(run.state), "tasks": states, "assets": assets}), flush=True)
"""


@dataclass(frozen=True)
class Tried:
    """How a run of a DAG ended, and every command of the batch layer that it asked for, in order."""

    state: str
    tasks: dict[str, str]
    asked: list[list[str]]
    assets: dict[str, Any]
    """What was changed, and what the change says of itself."""


@dataclass(frozen=True)
class Airflow:
    """Runs DAGs of this repository in a process of their own, one for all tests: to load Airflow takes 5 s."""

    environment: dict[str, str]
    recorder: Path
    runs: subprocess.Popen[str]

    def run(self, dag: str, at: str, answers: dict[str, object], conf: dict[str, str] | None = None) -> Tried:
        """One run of the DAG at a logical date, with what each command of the batch layer is to answer."""
        asked = self.recorder / "asked.jsonl"
        asked.write_text("")
        (self.recorder / "answers.json").write_text(json.dumps(answers))
        result = self._result([dag, at, conf or {}])
        commands = [json.loads(line) for line in asked.read_text().splitlines()]
        return Tried(result["state"], result["tasks"], commands, result["assets"])

    def _result(self, request: list[Any]) -> Any:
        """What the process says of a run; it dies of what it cannot do."""
        assert self.runs.stdin is not None
        assert self.runs.stdout is not None
        self.runs.stdin.write(json.dumps(request) + "\n")
        self.runs.stdin.flush()
        for line in self.runs.stdout:
            if line.startswith("RESULT "):
                return json.loads(line[7:])
        raise AssertionError((self.recorder / "stderr").read_text()[-3000:])

    def python(self, code: str, *arguments: str) -> str:
        """Runs a program with this Airflow; returns what it printed."""
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(
            command, env=self.environment, cwd=self.recorder, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    package = home / "stand_in" / "batch"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(RECORDER)
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": str(home / "stand_in"),
        "RECORDER": str(home),
    }
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migrate, env=environment, capture_output=True, timeout=280, check=True)
    command = [sys.executable, "-c", RUNS, str(ROOT / "dags")]
    pipe, kept = subprocess.PIPE, (home / "stderr").open("w")
    with (
        kept,
        subprocess.Popen(command, env=environment, cwd=home, stdin=pipe, stdout=pipe, stderr=kept, text=True) as runs,
    ):
        try:
            yield Airflow(environment, home, runs)
        finally:
            runs.kill()
