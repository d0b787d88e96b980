"""Keeps the lake and the warehouse small: compaction, expiry of snapshots and orphans, old versions and old rows.

Safe beside landings and recomputes. **When it fails**: nothing is wrong with any answer; files grow. Clear the task, or
leave it to the next night. If it fails for days, look at free space first.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, dag, task

from dags.commands import DEFAULTS, SPARK_POOL, batch, deadline


@dag(
    schedule=CronDataIntervalTimetable("30 4 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    deadline=deadline("maintenance", timedelta(hours=4)),
    tags=["batch"],
    doc_md=__doc__,
)
def maintenance() -> None:
    """Nightly, after the daily run."""

    @task(pool=SPARK_POOL, doc_md="Runs `python -m batch maintenance`. Doing it twice changes nothing.")
    def maintain() -> Any:
        return batch("maintenance")

    maintain()


maintenance()
