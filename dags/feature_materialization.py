"""Puts published features online: those of every load that is not there yet, each judged first.

Started by the asset `publications`, which changes when days were published; several changes make one run. What is
waiting is asked anew, so a run that finds none ends, and a run that was missed costs nothing.

**When it fails**: `materialize` with exit code 4 means that the gate keeps a load offline; readers have the values of
the load before. `python -m feature_store report` and table `feature_gate` say why. Repair the day and publish it again,
or put it online all the same with `python -m feature_store materialize --accept`. `check_consistency` with exit code 5
means that served values are not what the history says: table `feature_consistency` names the features.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Asset, Param, TriggerRule, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from dags.commands import PUBLICATIONS, run

FEATURES = Asset(name="features", uri="rivermeet://features")
"""Changes when features came online."""

FINAL = {2: "wrong usage", 4: "the gate refused a load", 5: "served values differ from the history"}
"""Exit codes of `python -m feature_store` that a retry cannot mend."""

DEFAULTS = {
    "owner": "data-platform",
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(hours=1),
}


def features(*arguments: str) -> Any:
    """Runs `python -m feature_store`."""
    return run("feature_store", FINAL, *arguments)


@dag(
    schedule=[PUBLICATIONS],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    params={
        "share": Param(100, type="integer", minimum=1, maximum=1000, description="Of 1,000 keys, how many to check.")
    },
    tags=["features"],
    doc_md=__doc__,
)
def feature_materialization() -> None:
    """On publications: gate and materialise, then hold what is served against the history, then report."""

    @task(outlets=[FEATURES], doc_md="Judges each load that is not online, by nulls and PSI, and puts it online.")
    def materialize() -> list[dict[str, Any]]:
        return list(features("materialize"))

    @task(doc_md="Samples served values and compares them with the history of the same moment.")
    def check_consistency() -> int:
        share = get_current_context()["params"]["share"]
        return len(features("consistency", "--share", str(share)))

    @task(
        trigger_rule=TriggerRule.ALL_DONE,
        doc_md="What the gate said of the last loads, and when they came online. Fails, and the run with it, if the"
        " newest is not online.",
    )
    def report() -> list[dict[str, Any]]:
        loads = list(features("report"))
        if loads and loads[0]["online_at"] is None:
            raise AirflowFailException(f"the features of {loads[0]['day']} are not online: {loads[0]['reasons']}")
        return loads

    materialize() >> check_consistency() >> report()


feature_materialization()
