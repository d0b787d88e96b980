"""Faults of workers: killed, paused, asked to end, coming and going."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.conftest import OpenStage
from tests.faults.stage import RECOVERY_SECONDS, Stage
from tests.faults.traffic import Shape
from tests.faults.workers import Worker
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]

CALM = Shape(late=0, cold=0, ahead=0, resent=0, rewritten=0, garbage=0, shuffled=0, orders=0)


def test_f1_kill(open_stage: OpenStage) -> None:
    """`kill -9` of either worker in turn, each time after some progress that is not yet committed."""
    with open_stage() as stage:
        workers = stage.start("a", "b")
        for turn, share in enumerate(stage.shares()):
            before = stage.applied()
            stage.load.send(share)
            stage.wait_applied(before + len(share) // 4)
            stage.kill(workers[turn % 2])
            workers[turn % 2].start()
        stage.settle()
        assert stage.report.replayed > 0, "no record was applied twice: the kills have tested nothing"


def test_f2_kill_burst(open_stage: OpenStage) -> None:
    """Both workers killed, and killed again before they have come far."""
    with open_stage() as stage:
        workers = stage.start("a", "b")
        stage.flow(stage.form.kills)
        for _ in range(stage.form.kills):
            time.sleep(stage.rng.uniform(0.5, 1.0))
            for worker in workers:
                stage.kill(worker)
                worker.start()
        stage.settle()


@pytest.mark.long_form
def test_f2_kill_of_senders(open_stage: OpenStage) -> None:
    """The process that sends the rows of a worker to topics is killed: the worker goes on, and no record is missing."""
    with open_stage() as stage:
        workers = stage.start("a", "b")
        for turn, share in enumerate(stage.shares()):
            # Without new rows a worker begins no other process.
            stage.load.send(share)
            workers[turn % 2].kill_sender(stage.rng.uniform(0.5, 1.0))
            stage.report.faults += 1
        stage.settle()
        assert all(worker.alive for worker in workers), "a worker ended with the process that sends its rows"


@pytest.mark.long_form
def test_f3_terminate(open_stage: OpenStage) -> None:
    """SIGTERM under load, and with a store that does not answer: a worker ends in time, and nothing is lost."""
    with open_stage() as stage:
        first, second = stage.start("a", "b")
        plan, turns = stage.plan(stage.form.records), stage.form.repeats
        share = len(plan) // (2 * turns) + 1
        for turn in range(turns):
            stage.load.flow(plan[2 * turn * share : (2 * turn + 1) * share], 2.0)
            time.sleep(1.0)
            stage.report.notes["seconds_under_load"] = end(first)
            first.start()
            stage.load.finish()
            stage.wait_held(first, second)
            with second.proxy.cut():
                stage.load.send(plan[(2 * turn + 1) * share : (2 * turn + 2) * share])
                until(lambda: second.status().get("waiting_for") is not None, "the worker to wait for the store")
                stage.report.notes["seconds_without_store"] = end(second)
            second.start()
            stage.report.faults += 2
        stage.settle()


def end(worker: Worker) -> float:
    """Ask it to end; answers after how many seconds it has."""
    began = time.monotonic()
    worker.terminate()
    return round(time.monotonic() - began, 1)


@pytest.mark.long_form
def test_f4_zombie(open_stage: OpenStage) -> None:
    """A worker stands still past its session timeout, comes back and writes: nothing of it survives."""
    with open_stage() as stage:
        first, second = stage.start("a", "b")
        stage.flow(2.0 * stage.form.session * stage.form.repeats)
        for _ in range(stage.form.repeats):
            first.signal(signal.SIGSTOP)
            stage.wait_held(second)
            first.signal(signal.SIGCONT)
            stage.report.faults += 1
            stage.wait_held(first, second)
        stage.settle()


def test_f4_row_of_a_zombie_alone(open_stage: OpenStage) -> None:
    """Session rows that only the paused worker writes, after its successor wrote newer ones, change no answer."""
    with open_stage() as stage:
        write_as_a_zombie(stage)
        stage.settle()


def write_as_a_zombie(stage: Stage) -> None:
    """The zombie writes last, and wakes up then."""
    zombie, successor = write_after_the_successor(stage)
    zombie.signal(signal.SIGCONT)
    stage.report.faults += 1
    stage.wait_held(zombie, successor)


def write_after_the_successor(stage: Stage) -> tuple[Worker, Worker]:
    """Two events of each session: the zombie has read the first, its successor both, and the zombie writes last.

    It is still stopped: awake, it may read on and write what is right before it hears that it is out of the group.
    """
    zombie, successor = stage.worker("a"), stage.worker("b")
    zombie.start()
    stage.wait_held(zombie)
    stage.load.send(stage.plan(300, CALM, "before"))
    stage.wait_settled()
    events = stage.plan(300, CALM, "torn")
    zombie.proxy.hold("speed_sessions")
    stage.load.send(events[:150])
    zombie.proxy.wait_held()
    zombie.signal(signal.SIGSTOP)
    stage.load.send(events[150:])
    successor.start()
    # Committed, too: else what is read again once the zombie is back would write its rows anew.
    stage.wait_settled()
    written = zombie.proxy.inserts["speed_sessions"]
    zombie.proxy.release()
    until(lambda: zombie.proxy.inserts["speed_sessions"] > written, "the zombie to write", RECOVERY_SECONDS)
    return zombie, successor


@pytest.mark.long_form
def test_f5_rebalance_storm(open_stage: OpenStage) -> None:
    """A third worker comes and goes, asked to end or killed."""
    with open_stage() as stage:
        stage.start("a", "b")
        rounds = 2 * stage.form.repeats
        stage.flow(3.0 * rounds)
        third = stage.worker("c")
        for turn in range(rounds):
            third.start()
            time.sleep(stage.rng.uniform(1.5, 3.0))
            if turn % 2:
                third.terminate()
            else:
                third.kill()
            stage.report.faults += 1
        stage.settle()
