"""Faults of the store: killed, slow, away, or heard by nobody."""

from __future__ import annotations

import threading
import time

import pytest

from tests.faults.conftest import OpenStage
from tests.faults.stage import RECOVERY_SECONDS, Stage
from tests.faults.traffic import Planned
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]

PENDING = 300
"""So few records that the short load is more."""
LOSE_EVERY = 13
"""More than the inserts of one tick: each tick that is tried often enough succeeds at last."""


@pytest.mark.long_form
def test_f8_store_killed_during_inserts(open_stage: OpenStage) -> None:
    """`kill -9` of the store while it inserts."""
    with open_stage() as stage:
        workers = stage.start("a", "b")
        for share in stage.shares():
            kill_during_insert(stage, share)
            stage.servers.store.start()
            stage.report.faults += 1
        stage.settle()
        assert all(worker.alive for worker in workers), "a worker ended: an outage of the store is to be waited for"


def kill_during_insert(stage: Stage, records: list[Planned]) -> None:
    """Send these, and kill the store a moment after some insert has begun."""
    begun = threading.Event()
    proxies = [stage.worker(name).proxy for name in ("a", "b")]
    for proxy in proxies:
        proxy.in_flight = lambda _table: begun.set()
    stage.load.send(records)
    assert begun.wait(RECOVERY_SECONDS), "nothing is being inserted"
    for proxy in proxies:
        proxy.in_flight = None
    time.sleep(stage.rng.uniform(0.0, 0.02))
    stage.servers.store.kill()


@pytest.mark.long_form
def test_f10_slow_and_dead_store(open_stage: OpenStage) -> None:
    """Inserts take long, then the store is away: intake stops at its bound, and goes on by itself."""
    with open_stage() as stage:
        workers = [stage.bounded_worker(name, pending_records=PENDING) for name in ("a", "b")]
        for worker in workers:
            worker.start()
        stage.wait_held(*workers)
        plan = stage.plan(stage.form.records)
        for worker in workers:
            worker.proxy.delay = stage.form.outage / 10
        stage.load.send(plan[: len(plan) // 2])
        until(lambda: any(worker.status().get("backpressure") for worker in workers), "backpressure to be told")
        for worker in workers:
            worker.proxy.delay, worker.proxy.dead = 0.0, True
        stage.load.send(plan[len(plan) // 2 :])
        until(lambda: all(worker.status().get("waiting_for") for worker in workers), "both to wait for the store")
        time.sleep(stage.form.outage)
        for worker in workers:
            worker.proxy.dead = False
        stage.report.faults += 2
        stage.settle()
        assert all(worker.alive and worker.starts == 1 for worker in workers)
        until(lambda: not any(worker.status().get("backpressure") for worker in workers), "backpressure to end")


@pytest.mark.long_form
def test_f11_lost_responses(open_stage: OpenStage) -> None:
    """The store does its work, and the worker never hears of it."""
    with open_stage() as stage:
        workers = stage.start("a", "b")
        for worker in workers:
            worker.proxy.lose_every = LOSE_EVERY
        stage.flow(4.0 * stage.form.repeats)
        stage.load.finish()
        stage.wait_applied(len(stage.load.acknowledged))
        for worker in workers:
            worker.proxy.lose_every = 0
        stage.settle()
        stage.report.faults = sum(worker.proxy.lost for worker in workers)
        assert stage.report.faults, "no answer was lost: nothing was tested"
