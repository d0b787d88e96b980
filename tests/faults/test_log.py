"""Faults of what is in the log: twice, out of order, late, old, poisonous, from other clocks, too much at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from random import Random

import psutil
import pytest

from schemas.registry import Registry
from schemas.topics import TOPICS
from tests.faults.conftest import OpenStage
from tests.faults.stage import Stage
from tests.faults.traffic import PARTITIONS, Plan, Planned, Shape
from tests.faults.workers import Worker
from tests.oracle.records import DAY_MS, TRANSACTIONS, USER_EVENTS
from tests.schemas.examples import Example, examples

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]

SUBJECTS = {"user-event": USER_EVENTS, "transaction": TRANSACTIONS}
LONG_TEXT = 900_000
HEADER_BYTES = 5
FEW = {"sessions": 40, "events": 400, "orders": 30, "windows": 60, "pending_records": 2_000, "pending_bytes": 8 << 20}
EXTRA_BYTES = 512 << 20


@pytest.mark.long_form
def test_f12_twice_and_rewound(open_stage: OpenStage) -> None:
    """The offsets of the group go back, twice, and the whole load is sent a second time."""
    with open_stage() as stage:
        workers = stage.start("a", "b")
        plan = stage.plan(stage.form.records // 2)
        stage.load.send(plan)
        for _ in range(2):
            stage.wait_settled()
            for worker in workers:
                worker.terminate()
            stage.wait_group_empty()
            stage.rewind(stage.form.rewind)
            stage.report.faults += 1
            stage.load.send(plan[: len(plan) // 2])
            stage.start("a", "b")
        stage.settle()


@pytest.mark.long_form
def test_f13_out_of_order_and_late(open_stage: OpenStage) -> None:
    """Everything is shuffled, much is days late, and some comes after the horizon of its day."""
    with open_stage() as stage:
        workers = stage.start("a", "b")
        shape = Shape(shuffled=1.0, shuffle=1_500, late=0.1, cold=0.03, resent=0.05)
        plan = stage.plan(stage.form.records, shape)
        stage.load.send(plan[: len(plan) // 2])
        stage.wait_applied(len(plan) // 4)
        stage.kill(workers[0])
        workers[0].start()
        stage.load.send(plan[len(plan) // 2 :])
        stage.settle()


@pytest.mark.long_form
def test_f14_poison(open_stage: OpenStage) -> None:
    """Every kind of record that cannot be used, among good ones: kept with reason and bytes, and no worker ends."""
    with open_stage() as stage:
        workers = stage.start("a", "b")
        poison = list(poisonous(stage)) * (stage.form.repeats)
        load = stage.plan(1_000 * stage.form.repeats, Shape(garbage=0.02))
        both = [*load, *poison, *large(stage)]
        stage.rng.shuffle(both)
        stage.load.send(both)
        stage.settle()
        stage.report.faults = len(poison)
        reasons = {row["reason"] for row in stage.ask("SELECT DISTINCT reason FROM speed_dead_letters")}
        assert reasons >= {record.reason for record in poison}
        assert all(worker.alive and worker.starts == 1 for worker in workers)


def poisonous(stage: Stage) -> list[Planned]:
    """The bad examples of both contracts, under the ids of this registry; none that depends on the clock."""
    registry = Registry(stage.settings.registry.url)
    ids = {
        (str(topic.subject), version): schema_id
        for topic in TOPICS.values()
        if topic.subject
        for version, schema_id in registry.register(topic).items()
    }
    timeless = [example for example in examples("bad", *SUBJECTS) if example.reason != "too_far_ahead"]
    return [planned(stage.rng, example, ids) for example in timeless]


def planned(rng: Random, example: Example, ids: dict[tuple[str, int], int]) -> Planned:
    """A bad example as a record to send."""
    topic, value = SUBJECTS[example.subject], example.value
    if value is not None and "writer" in example.content:
        schema_id = ids[example.writer.subject, example.writer.version]
        value = value[:1] + schema_id.to_bytes(4, "big") + value[HEADER_BYTES:]
    return Planned(topic, rng.randrange(PARTITIONS[topic]), b"poison", value, None, example.reason)


def large(stage: Stage) -> list[Planned]:
    """A good event nearly as long as a record may be, and one without a key."""
    source = Plan(Random(1), stage.now_ms, stage.encode, Shape(orders=0, garbage=0, resent=0, rewritten=0), "large")
    one, other = source.records(2)
    return [padded(stage, one, "x" * LONG_TEXT), dataclasses.replace(other, key=None)]


@pytest.mark.long_form
def test_f17_skewed_clocks(open_stage: OpenStage) -> None:
    """Workers two hours ahead and behind, one whose clock jumps back, and producers of both kinds."""
    with open_stage() as stage:
        ahead, behind = stage.worker("a", skew=7_200), stage.worker("b", skew=-7_200)
        ahead.start()
        behind.start()
        stage.wait_held(ahead, behind)
        plan = stage.plan(stage.form.records // 2, Shape(ahead=0.03, late=0.05))
        stage.load.send(plan[: len(plan) // 2])
        stage.wait_applied(len(plan) // 4)
        stage.kill(ahead)
        stage.worker("c", skew=-3_600).start()
        stage.load.send(plan[len(plan) // 2 :])
        stage.settle()


@pytest.mark.long_form
def test_f18_memory_cap(open_stage: OpenStage) -> None:
    """A worker that may keep next to nothing, a burst, and batches that unpack to hundreds of times their size."""
    with open_stage() as stage:
        workers = [stage.bounded_worker(name, **FEW) for name in ("a", "b")]
        for worker in workers:
            worker.start()
        stage.wait_held(*workers)
        plan = stage.plan(stage.form.records)
        stage.load.send(plan[: len(plan) // 10])
        stage.wait_settled()
        before = max(worker.resident()[0] for worker in workers)
        for worker in workers:
            cap(worker, EXTRA_BYTES * (4 if stage.form.long else 1))
        stage.load.send(plan[len(plan) // 10 :])
        stage.load.send(bomb(stage, 100 * stage.form.repeats))
        stage.settle()
        stage.report.notes["memory_before"] = before >> 20
        assert all(worker.alive and worker.starts == 1 for worker in workers)


def cap(worker: Worker, extra: int) -> None:
    """The process may take this much more private memory than it has; it fails where it asks for more."""
    assert worker.process is not None
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{worker.process.pid}/status").read_text().splitlines())
    limit = int(fields["VmData"].split()[0]) * 1024 + extra
    psutil.Process(worker.process.pid).rlimit(psutil.RLIMIT_DATA, (limit, limit))


def bomb(stage: Stage, count: int) -> list[Planned]:
    """Events whose bytes are nearly all the same: a compressed batch of them is some hundred times smaller."""
    source = Plan(Random(2), stage.now_ms, stage.encode, Shape(orders=0, garbage=0, resent=0, rewritten=0), "bomb")
    return [padded(stage, planned, "x" * 300_000) for planned in source.records(count)]


def padded(stage: Stage, planned: Planned, text: str) -> Planned:
    """The same event with a long property."""
    assert planned.record is not None
    record = {**planned.record, "properties": {"note": text}}
    version = 2 if "tenantId" in record else 1
    return dataclasses.replace(planned, value=stage.encode(USER_EVENTS, version, record), record=record)


@pytest.mark.long_form
def test_f22_old_replay(open_stage: OpenStage) -> None:
    """After idleness and a restart, sessions of a week ago go on: nothing expires at once, nothing is forgotten."""
    with open_stage() as stage:
        workers = stage.start("a", "b")
        source = Plan(Random(stage.report.seed), stage.now_ms, stage.encode, Shape())
        stage.load.send(source.records(stage.form.records // 4))
        stage.wait_settled()
        for worker in workers:
            stage.kill(worker)
            worker.start()
        source.now_ms -= 7 * DAY_MS
        stage.load.send(source.records(stage.form.records // 4))
        stage.settle()
