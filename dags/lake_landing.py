"""Brings what is new in Kafka into the lake every hour, and finds the closed days that it touched.

Landing often keeps each landing small, far from what Kafka deletes after seven days, and the daily run short.

**When it fails**: exit code 3 means that Kafka, the registry or ClickHouse did not answer; the retries take care of it,
and so does the next hour, which lands everything since. "Records have expired" names a range that Kafka deleted before
it was landed: restore it, or run once with the parameter `accept_loss`, which keeps the loss in the landing and makes
the gate warn. "Another log" means that the topic was made anew: read batch/UPKEEP.md before you do anything.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.commands import DEFAULTS, LAKE, LATE_DATA, SPARK_POOL, batch, deadline, parameter


@dag(
    schedule=CronDataIntervalTimetable("10 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"execution_timeout": timedelta(minutes=50)},
    params={
        "accept_loss": Param(
            default=False, type="boolean", description="Go on without records that Kafka deleted before they landed."
        ),
        "wait": Param(30, type="integer", minimum=0, description="Minutes that late records of a day wait for more."),
        "cap": Param(4, type="integer", minimum=1, description="How often a day is published in 24 hours at most."),
    },
    deadline=deadline("lake_landing", timedelta(hours=1)),
    tags=["batch"],
    doc_md=__doc__,
)
def lake_landing() -> None:
    """Hourly: land, then look for closed days that the landing touched."""

    @task(
        pool=SPARK_POOL,
        outlets=[LAKE],
        doc_md="Lands every topic up to its present end. Safe to clear: a landing begins where the last ended.",
    )
    def land(*, outlet_events: Any) -> list[dict[str, Any]]:
        landed = list(batch("land", *(["--accept-loss"] if parameter("accept_loss") else [])))
        ends = {one["topic"]: {"snapshot": one["snapshot_id"], "offsets": one["end"]} for one in landed}
        outlet_events[LAKE].extra = {"landings": ends}
        return landed

    @task(
        outlets=[LATE_DATA],
        doc_md="Lists closed days with landed records that they have not counted, and that have waited long enough."
        " Skipped, and nothing is started, if there is none.",
    )
    def find_late_days(*, outlet_events: Any) -> list[str]:
        late = batch("late", "--wait", str(parameter("wait")), "--cap", str(parameter("cap")))
        days = sorted({one["day"] for one in late})
        if not days:
            raise AirflowSkipException("no closed day is due for a recompute")
        outlet_events[LATE_DATA].extra = {"days": days}
        return days

    land() >> find_late_days()


lake_landing()
