"""The steps of the demo, each on a running stack; what there is to show is left to the command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain, count
from random import Random, SystemRandom
from typing import Any

import polars as pl

from infra.clients.clickhouse import Client, connect
from infra.demo.airflow import Scheduler, Task
from infra.demo.answers import KEYS, Row, compare
from infra.demo.days import demo_days
from infra.demo.errors import DemoError, StepFailed
from infra.messages import Message
from infra.send import send_all
from infra.settings import Settings
from infra.simulator.catalogue import Tenant, tenants
from infra.simulator.late import LateEvent, late_event
from infra.simulator.simulation import ShopSettings, Simulation
from infra.simulator.surroundings import Amounts, surroundings_of_days
from infra.simulator.truth import Truth, utc_day

DAG = "ecommerce_etl_daily"
VISITS_PER_DAY = 400
DAG_SECONDS = 60.0
FIRST_RUN_SECONDS = 20.0
RUN_SECONDS = 900.0
SPEED_SECONDS = 120.0
BATCH_SECONDS = 600.0
POLL_SECONDS = 0.2
SEEDS = 1_000_000


class Differs(DemoError):
    """The pipeline's answer is not the truth."""

    def __init__(self, rows: list[Row]) -> None:
        shown = "; ".join(f"{' '.join(map(str, row.key))}: {', '.join(row.differing)}" for row in rows[:3])
        super().__init__(f"{len(rows)} rows differ from the truth: {shown}")
        self.rows = rows


@dataclass(frozen=True)
class Group:
    """Where the answer for one session and its day comes from."""

    layers: tuple[str, ...]
    page_views: int
    day_layer: str
    version: int
    late_groups: int


class Story:
    """One run of the demo: a simulated shop, the truth about it, and what the views answer."""

    def __init__(self, settings: Settings, seed: int | None, now: datetime) -> None:
        self.days = demo_days(now)
        self.truth = Truth()
        self._settings = settings
        self._client = connect(settings.clickhouse, "analyst")
        self._tenants = tenants_without_data(self._client)
        self._rng = Random(SystemRandom().randrange(SEEDS) if seed is None else seed)  # noqa: S311 - a shop, no secret
        self._now_ms = _ms(now)

    def simulate(self) -> None:
        """Send all days with everything that goes wrong on the way; `truth` is complete then."""
        shop = ShopSettings(closed_days=self.days.before_today, visits_per_day=VISITS_PER_DAY, tenants=self._tenants)
        simulation = Simulation(shop, self._rng, self._now_ms)
        send_all(self._settings, simulation.messages())
        send_all(self._settings, surroundings_of_days(self._rng, shop, self._now_ms, Amounts()))
        self.truth = simulation.truth

    def rows(self, view: str, days: Iterable[date]) -> list[Row]:
        """Rows of a view for some days, beside the truth."""
        wanted = set(days)
        return [row for row in compare(self._client, view, self.truth) if row.key[1] in wanted]

    def wait_for_truth(self, seconds: float = SPEED_SECONDS) -> None:
        """Wait until every row of every day is the truth. Raises Differs when the time is over."""
        deadline = time.monotonic() + seconds
        while wrong := [row for view in KEYS for row in compare(self._client, view, self.truth) if row.differing]:
            if time.monotonic() > deadline:
                raise Differs(wrong)
            time.sleep(POLL_SECONDS)

    def require_truth(self) -> None:
        """Every row of every day is the truth now. Raises Differs."""
        self.wait_for_truth(0)

    def run_dag(self, report: Callable[[list[Task]], None]) -> None:
        """Let the daily DAG publish the newest closed day, and the days before it that no run has published.

        The first time the schedule itself begins with that day; later a run is triggered for it. Raises DemoError.
        """
        scheduler = Scheduler(self._settings.airflow)
        scheduler.log_in()
        had_its_turn = scheduler.runs(DAG, DAG_SECONDS)
        scheduler.unpause(DAG)
        run = None if had_its_turn else scheduler.first_run(DAG, FIRST_RUN_SECONDS)
        run = run or scheduler.trigger(DAG, {"day": str(self.days.closed[-1])})
        scheduler.wait(DAG, run, RUN_SECONDS, report)

    def late_event(self) -> LateEvent:
        """One event for a session of the newest closed day, which the truth counts from now on."""
        tenant = self._tenants[0].tenant_id
        return late_event(self.truth, self._rng, tenant, self.days.closed[-1], _ms(datetime.now(UTC)))

    def send_late(self, event: LateEvent) -> None:
        """Send it, and wait for the answer to change. Raises Differs."""
        message: Message = event.message
        send_all(self._settings, [message])
        self.wait_for_truth()

    def recompute(self) -> None:
        """Land what is new and publish the newest closed day again, as a person would. Raises DemoError."""
        day = str(self.days.closed[-1])
        done = subprocess.run(
            (sys.executable, "-m", "batch", "run", "--dataset", "events", "--day", day),
            env={**os.environ, "RIVERMEET_HOME": str(self._settings.home)},
            capture_output=True,
            text=True,
            timeout=BATCH_SECONDS,
            check=False,
        )
        if done.returncode:
            raise StepFailed(f"`rivermeet batch run --day {day}` ended with {done.returncode}: {done.stderr[-1500:]}")
        self.require_truth()

    def group(self, event: LateEvent) -> Group:
        """How the views answer now for the session that a late event joins."""
        session = event.before
        names = {"tenant": session.tenant_id, "session": session.session_id, "day": utc_day(session.start_ms)}
        [found] = _rows(self._client, _GROUP, names)
        [metrics] = _rows(self._client, _DAY, names)
        return Group(tuple(found["layers"]), found["page_views"], **metrics)

    def require_layers(self, seen: list[Group]) -> None:
        """The late event moved its session to the speed layer, and the recompute moved it back. Raises StepFailed."""
        layers = [(group.layers, group.day_layer) for group in seen]
        batch = (("batch",), "batch")
        if layers != [batch, (("speed",), "merged"), batch]:
            raise StepFailed(f"the session's layers were {layers}: it should go from batch to speed and back")


def tenants_without_data(client: Client) -> tuple[Tenant, ...]:
    """The simulator's tenants, under names of their own where an earlier demo has left data on this stack."""
    rows = pl.DataFrame(client.query_arrow("SELECT DISTINCT tenant_id FROM daily_metrics")).to_dicts()
    taken = {row["tenant_id"] for row in rows}
    shops = (tenants(suffix) for suffix in chain([""], (f"-{number}" for number in count(2))))
    return next(named for named in shops if taken.isdisjoint(one.tenant_id for one in named))


_GROUP = """
SELECT groupUniqArray(layer) AS layers, toInt64(sum(page_views)) AS page_views FROM sessions
WHERE tenant_id = %(tenant)s AND session_id = %(session)s AND day = %(day)s
"""
_DAY = """
SELECT layer AS day_layer, publication_version AS version, late_groups FROM daily_metrics
WHERE tenant_id = %(tenant)s AND day = %(day)s
"""


def _rows(client: Client, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    return pl.DataFrame(client.query_arrow(sql, parameters=parameters)).to_dicts()


def _ms(time_: datetime) -> int:
    return int(time_.timestamp() * 1000)
