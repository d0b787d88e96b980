"""What all DAGs share: how a task calls the layers, its defaults, the assets, and who is told of a failure.

Only Airflow is imported, and nothing of ours: tasks run `python -m batch ...`, as a person would in a shell.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, get_current_context
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.exceptions import AirflowException, AirflowFailException

LAKE = Asset(name="lake", uri="rivermeet://lake")
"""Changes with every landing. Its events carry, by topic, the snapshot and the offsets that it ends at."""
LATE_DATA = Asset(name="late_data", uri="rivermeet://late_data")
"""Changes when a landing leaves closed days to be computed again. Its events carry those days."""
PUBLICATIONS = Asset(name="publications", uri="rivermeet://publications")
"""Changes when days were published. Its events carry the days, and by dataset the version and the offsets."""

DATASETS = ("events", "orders")
SPARK_POOL = "spark"
"""The pool of tasks that run Spark: as many slots as Spark jobs may run beside each other, 1 on a small machine."""

FINAL = {2: "wrong usage", 4: "the gate refused the day", 5: "the publication was refused", 6: "the day is not whole"}
"""Exit codes of `python -m batch` that a retry cannot mend."""

_TELL_SECONDS = 60
_log = logging.getLogger(__name__)


def batch(*arguments: str) -> Any:
    """Runs `python -m batch`."""
    return run("batch", FINAL, *arguments)


def run(module: str, final: Mapping[int, str], *arguments: str) -> Any:
    """Runs a module of ours with these arguments and `--json`; returns its document or fails as its exit code says.

    `final`: the exit codes that a retry cannot mend, and what they mean.
    """
    command = [sys.executable, "-m", module, *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode in final:
        raise AirflowFailException(f"{' '.join(command[1:])}: {final[done.returncode]}; see the log above")
    if done.returncode:
        raise AirflowException(f"{' '.join(command[1:])} ended with {done.returncode}; see the log above")
    return json.loads(done.stdout)


def parameter(name: str) -> Any:
    """A parameter of the run."""
    return get_current_context()["params"][name]


def day_of_run() -> str:
    """The day that is asked for, else the UTC day before the end of the data interval, which is at 02:00.

    A run that was triggered without a logical date has no interval: then it is the day before it was to start.
    """
    context = get_current_context()
    end = context.get("data_interval_end") or context["dag_run"].run_after
    return str(context["params"]["day"] or (end - timedelta(days=1)).date())


def missed_too() -> list[str]:
    """The option that takes missed days along. In a backfill each day has a run, and runs beside each other would all
    take the same ones."""
    return [] if get_current_context()["dag_run"].run_type == "backfill" else ["--missed"]


def each_day(days: list[str]) -> list[str]:
    """The options that name the days."""
    return [part for day in days for part in ("--day", day)]


def tell_failure(context: Any) -> None:
    """Says which task failed and where its log is. A message that cannot be sent must not hide the failure itself."""
    task = context["ti"]
    tell(f"{task.dag_id}.{task.task_id} failed in run {task.run_id} (try {task.try_number}): {context['exception']}")


def deadline(dag: str, hours: timedelta) -> DeadlineAlert:
    """Tells of a run that takes so much longer than successful ones did; of the first ones nothing is known.

    Not by when a run was queued: no task of a run with such a deadline can be cleared (apache/airflow#70368).
    """
    usual = DeadlineReference.AVERAGE_RUNTIME(max_runs=10, min_runs=1)
    told = SyncCallback(tell_deadline, kwargs={"dag": dag, "limit": f"{hours / timedelta(hours=1):g} h"})
    return DeadlineAlert(reference=usual, interval=hours, callback=told)


def tell_deadline(context: Any, dag: str, limit: str) -> None:
    """Says that a run takes longer than it may."""
    run = context["dag_run"]["dag_run_id"]
    tell(f"{dag}: run {run} takes more than {limit} longer than usual; see dags/README.md, At 02:00")


def tell(text: str) -> None:
    """Sends a line to whoever the settings name."""
    command = [sys.executable, "-m", "batch", "alert", "--text", text]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TELL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        _log.warning("nobody could be told within %s s: %s", _TELL_SECONDS, text)
        return
    if done.returncode:
        _log.warning("nobody could be told: %s", done.stderr)


DEFAULTS = {
    "owner": "data-platform",
    "retries": 3,
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=20),
    "execution_timeout": timedelta(hours=2),
    "on_failure_callback": tell_failure,
}
