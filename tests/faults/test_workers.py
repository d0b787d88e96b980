"""Faults of workers: killed, paused, asked to end, coming and going."""

from __future__ import annotations

import pytest

from tests.faults.conftest import OpenStage
from tests.faults.stage import Stage

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]


def test_f1_kill_a_worker(open_stage: OpenStage) -> None:
    """`kill -9` again and again, of either worker in turn, each time after some progress."""
    with open_stage() as stage:
        kill_in_turn(stage)
        stage.settle()
        assert stage.report.replayed > 0, "no record was applied twice: the kills have tested nothing"


def kill_in_turn(stage: Stage) -> None:
    """The whole load flows; each kill waits for progress of its own."""
    kills, records = stage.form.kills, stage.form.records
    workers = stage.start("a", "b")
    plan = stage.plan(records)
    share = records // kills
    for turn in range(kills):
        before = stage.applied()
        stage.load.send(plan[turn * share : (turn + 1) * share] if turn < kills - 1 else plan[turn * share :])
        stage.wait_applied(before + records // 50)
        victim = workers[turn % 2]
        stage.kill(victim)
        victim.start()
