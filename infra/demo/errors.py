"""How the demo fails: every message says what differs, or where to look."""

from __future__ import annotations


class DemoError(Exception):
    """The demo did not come out as it should."""


class StepFailed(DemoError):
    """A step did not do its part."""


class NoSuchDag(DemoError):
    """Airflow has not read the DAG."""

    def __init__(self, dag: str, seconds: float) -> None:
        super().__init__(f"Airflow does not know {dag} after {seconds:.0f} s; see `rivermeet logs airflow`")
        self.dag = dag


class RunFailed(DemoError):
    """A run of a DAG did not succeed, or did not end in time."""

    def __init__(self, dag: str, run: str, why: str) -> None:
        super().__init__(f"run {run} of {dag} {why}; its tasks and their logs are in Airflow, where it still runs")
        self.dag, self.run, self.why = dag, run, why


class AirflowUnavailable(DemoError):
    """Airflow's REST API did not answer, or not as it should."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"Airflow at {url}: {why}; see `rivermeet status` and `rivermeet logs airflow`")
        self.url, self.why = url, why
