"""F29: what keeps the answers right, taken away on purpose. Each control must make the checks fail."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.conftest import OpenStage
from tests.faults.invariants import Broken
from tests.faults.stage import Stage
from tests.faults.test_workers import write_after_the_successor
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

RECORDS = 900
SECONDS = 20.0
KEPT_TWICE = (
    (") ENGINE", ", `copy` UInt64 DEFAULT rand64()) ENGINE"),
    ("log_partition, log_offset, day)", "log_partition, log_offset, day, copy)"),
)
"""A key that no two inserts share."""


def crash(stage: Stage) -> None:
    """Both workers are killed when all of a tick is written but its progress, and come back while more is sent."""
    plan = stage.plan(RECORDS)
    workers = stage.start("a", "b")
    stage.load.send(plan[: RECORDS // 3])
    until(lambda: stage.applied() > RECORDS // 6, "some progress")
    time.sleep(1.5)
    for worker in workers:
        worker.proxy.hold("speed_progress")
    stage.load.send(plan[RECORDS // 3 : 2 * RECORDS // 3])
    for worker in workers:
        worker.proxy.wait_held()
    for worker in workers:
        stage.kill(worker)
        worker.proxy.lose_held()
    stage.load.send(plan[2 * RECORDS // 3 :])
    for worker in workers:
        worker.start()


def crash_in_an_outage(stage: Stage) -> None:
    """Workers are killed while the store is away, and come back when it answers."""
    workers = stage.start("a", "b")
    plan = stage.plan(RECORDS)
    for worker in workers:
        worker.proxy.dead = True
    stage.load.send(plan[: RECORDS // 2])
    time.sleep(3.0)
    for worker in workers:
        worker.kill()
        worker.proxy.dead = False
    for worker in workers:
        worker.start()
    stage.load.send(plan[RECORDS // 2 :])


def die_as_a_zombie(stage: Stage) -> None:
    """A zombie writes last, and never wakes up."""
    zombie, _ = write_after_the_successor(stage)
    stage.kill(zombie)


@dataclass(frozen=True)
class Control:
    """A mechanism taken away from workers (`sabotage`) or from the stage before they start (`weaken`).

    `found_by` are the invariants of which one must fail; a `quick` one is in the short form too.
    """

    name: str
    found_by: tuple[str, ...]
    sabotage: str = ""
    weaken: Callable[[Stage], None] = lambda _stage: None
    scenario: Callable[[Stage], None] = crash
    quick: bool = False


def without(table: str, *changes: tuple[str, str]) -> Callable[[Stage], None]:
    """Make a table anew with another statement."""

    def weaken(stage: Stage) -> None:
        database = stage.settings.clickhouse.database
        found = (
            f"SELECT create_table_query AS sql FROM system.tables WHERE database = '{database}' AND name = '{table}'"
        )
        [row] = stage.ask(found)
        sql = str(row["sql"])
        for old, new in changes:
            assert old in sql, sql
            sql = sql.replace(old, new)
        stage.change(f"DROP TABLE {table} SYNC")
        stage.change(sql)

    return weaken


def swallowing(table: str) -> Callable[[Stage], None]:
    """Inserts into the table are acknowledged and not done."""

    def weaken(stage: Stage) -> None:
        for name in ("a", "b"):
            stage.worker(name).proxy.swallow(table)

    return weaken


CONTROLS = (
    Control("acknowledged_before_it_is_written", ("I1", "I5", "I6"), "ack_before_write", scenario=crash_in_an_outage),
    Control("restart_at_the_end_of_the_log", ("I1", "I5", "I6"), "restart_at_end"),
    Control("nothing_fetched_back", ("I1", "I3"), "no_fetch_back"),
    Control("stored_events_past_the_start_believed", ("I1", "I3"), "believe_everything"),
    Control("events_lost", ("I1", "I5"), weaken=swallowing("events_speed")),
    Control("dead_letters_lost", ("I1", "I5"), weaken=swallowing("speed_dead_letters")),
    Control("group_rows_lost", ("I3",), weaken=swallowing("speed_sessions")),
    Control("replays_kept_twice", ("I2", "I3"), weaken=without("events_speed", *KEPT_TWICE)),
    Control(
        "last_writer_wins",
        ("I3",),
        weaken=without("speed_sessions", ("ReplacingMergeTree(as_of)", "ReplacingMergeTree")),
        scenario=die_as_a_zombie,
        quick=True,
    ),
)


def parameters() -> list[Any]:
    """Every control; most have time in the long form only."""
    return [pytest.param(one, id=one.name, marks=() if one.quick else pytest.mark.long_form) for one in CONTROLS]


@pytest.mark.parametrize("control", parameters())
def test_f29_control(control: Control, open_stage: OpenStage) -> None:
    with open_stage() as stage:
        for name in ("a", "b"):
            stage.worker(name, sabotage=control.sabotage)
        control.weaken(stage)
        control.scenario(stage)
        with pytest.raises(Broken) as found:
            stage.settle(SECONDS)
        stage.report.result = f"seen, {found.value}"[:200]
        assert found.value.invariant in control.found_by, str(found.value)
