"""Faults of the broker: it goes and comes back, or stands still."""

from __future__ import annotations

import time

import pytest

from tests.faults.conftest import OpenStage

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]


@pytest.mark.long_form
def test_f6_broker_restarts(open_stage: OpenStage) -> None:
    """Ended cleanly, then killed, during load: no acknowledged record is lost, and workers and producer go on."""
    with open_stage() as stage:
        workers = stage.start("a", "b")
        stage.flow(6.0 * stage.form.repeats)
        broker = stage.servers.broker
        for _ in range(stage.form.repeats):
            for end in (broker.stop, broker.kill):
                time.sleep(1.0)
                end()
                broker.start()
                stage.report.faults += 1
        stage.settle()
        assert all(worker.alive for worker in workers), "a worker ended: an outage of the broker is to be waited for"


@pytest.mark.long_form
def test_f7_broker_pause_then_kill(open_stage: OpenStage) -> None:
    """The broker stands still; as soon as it goes on, a worker is killed."""
    with open_stage() as stage:
        workers = stage.start("a", "b")
        stage.flow((stage.form.outage + 3.0) * stage.form.repeats)
        for turn in range(stage.form.repeats):
            time.sleep(1.0)
            stage.servers.broker.pause(stage.form.outage)
            stage.kill(workers[turn % 2])
            workers[turn % 2].start()
        stage.settle()
