"""Airflow through its REST API: unpause a DAG, trigger runs, wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from infra.demo.errors import AirflowUnavailable, NoSuchDag, RunFailed
from infra.settings import Airflow

REQUEST_SECONDS = 30.0
POLL_SECONDS = 1.0
ENDED = ("success", "failed")


@dataclass(frozen=True)
class Task:
    """A task of a run, and how it stands."""

    name: str
    state: str


class Scheduler:
    """A client for one person's session."""

    def __init__(self, settings: Airflow) -> None:
        self.url = f"http://{settings.host}:{settings.port}"
        self._login = {"username": settings.user, "password": settings.password.get_secret_value()}
        self._http = httpx.Client(base_url=self.url, timeout=REQUEST_SECONDS)

    def log_in(self) -> None:
        """Get a token for the requests that follow."""
        token = self._ask("POST", "/auth/token", self._login)["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def runs(self, dag: str, seconds: float) -> list[str]:
        """The ids of a DAG's runs, waiting until Airflow has read it. Raises NoSuchDag."""
        deadline = time.monotonic() + seconds
        while dag not in [found["dag_id"] for found in self._ask("GET", "/api/v2/dags")["dags"]]:
            if time.monotonic() > deadline:
                raise NoSuchDag(dag, seconds)
            time.sleep(POLL_SECONDS)
        found = self._ask("GET", f"/api/v2/dags/{dag}/dagRuns?order_by=-run_after")["dag_runs"]
        return [str(run["dag_run_id"]) for run in found]

    def unpause(self, dag: str) -> None:
        """Let the DAG's schedule begin."""
        self._ask("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False})

    def first_run(self, dag: str, seconds: float) -> str | None:
        """The run that a schedule begins with, None if it begins none within the time."""
        deadline = time.monotonic() + seconds
        while not (found := self.runs(dag, seconds)):
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL_SECONDS)
        return found[0]

    def trigger(self, dag: str, parameters: dict[str, str]) -> str:
        """Start a run now and answer its id."""
        body = {"logical_date": None, "conf": parameters}
        return str(self._ask("POST", f"/api/v2/dags/{dag}/dagRuns", body)["dag_run_id"])

    def wait(self, dag: str, run: str, seconds: float, report: Callable[[list[Task]], None]) -> None:
        """Wait until a run has ended, telling how its tasks stand. Raises RunFailed."""
        deadline = time.monotonic() + seconds
        while (state := self._ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run}")["state"]) not in ENDED:
            if time.monotonic() > deadline:
                raise RunFailed(dag, run, f"has not ended within {seconds:.0f} s")
            report(self.tasks(dag, run))
            time.sleep(POLL_SECONDS)
        if state != "success":
            failed = [task.name for task in self.tasks(dag, run) if task.state == "failed"]
            raise RunFailed(dag, run, f"failed in {', '.join(failed) or 'no task'}")

    def tasks(self, dag: str, run: str) -> list[Task]:
        """The tasks of a run."""
        found = self._ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return [Task(task["task_id"], task["state"] or "waiting") for task in found]

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            answer = self._http.request(method, path, json=body)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise AirflowUnavailable(self.url, str(error)) from error
