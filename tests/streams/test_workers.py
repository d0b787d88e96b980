"""Workers on a real broker: nothing is missed and nothing is committed too early, whatever dies."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException

from tests.streams.cluster import Cluster, Load, make_topic, replays
from tests.support.waiting import until

pytestmark = pytest.mark.servers

PARTITIONS = 8


@pytest.fixture
def cluster(kafka: str, tmp_path: Path) -> Iterator[Callable[..., tuple[Cluster, Load]]]:
    made: list[Cluster] = []

    def make(partitions: int = PARTITIONS, **given: Any) -> tuple[Cluster, Load]:
        topic = make_topic(kafka, partitions)
        made.append(Cluster(kafka, tmp_path, topic, partitions, **given))
        return made[0], Load(kafka, topic, partitions, seed=7)

    yield make
    for each in made:
        each.close()


class CommitWatch:
    """Compares commits with what is written, all the time, from a thread of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._stop = cluster, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.checks, self.error = 0, None

    error: AssertionError | None

    def __enter__(self) -> "CommitWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            try:
                self._cluster.check_commits()
            except KafkaException:  # the coordinator of a new group is moved once
                continue
            except AssertionError as error:
                self.error = error
                return
            self.checks += 1


def test_no_record_is_missed_through_kills_rebalances_and_a_zombie(
    cluster: Callable[..., tuple[Cluster, Load]],
) -> None:
    group, load = cluster()
    first, second, third = (group.worker(name) for name in ("first", "second", "third"))
    load.send(2_000)
    with CommitWatch(group) as watch:
        load.start()
        first.start()
        second.start()
        until(lambda: first.owns() == second.owns() == PARTITIONS // 2, "two workers")
        first.kill()
        first.start()
        group.progress()
        first.kill()
        second.kill()
        first.start()
        second.start()
        until(lambda: first.owns() == second.owns() == PARTITIONS // 2, "two workers again")
        third.start()
        until(lambda: third.owns() > 0, "a third worker")
        third.signal(signal.SIGTERM)
        assert third.wait() == 0

        until(lambda: first.owns() == PARTITIONS // 2, "the partitions of the third")
        group.pause(second)
        until(lambda: first.owns() == PARTITIONS, "the partitions of the paused worker")
        group.progress()
        second.signal(signal.SIGCONT)
        until(lambda: first.owns() == second.owns() == PARTITIONS // 2, "the paused worker to come back")
        second.kill()
        load.stop()
        group.done(load)
    group.check_against(load)
    assert watch.error is None
    assert watch.checks > 10
    assert replays(group) > 0, "the faults replayed nothing, so they proved nothing"


def test_a_dead_sink_stops_the_intake_and_nothing_else(cluster: Callable[..., tuple[Cluster, Load]]) -> None:
    group, load = cluster(partitions=2, pending_records=2_000, slice_records=200, fetch_records=400)
    group.fails("dead")
    load.send(20_000)
    worker = group.worker("only").start()
    until(lambda: bool(worker.status()["backpressure"]), "backpressure")
    assert worker.status()["waiting_for"] == "the store is down"
    held = worker.status()["pending"]["records"]
    assert 2_000 <= held <= 2_200
    assert group.seen() == 0

    worker.signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert group.committed() == {0: 0, 1: 0}

    worker.start()
    until(lambda: bool(worker.status()["backpressure"]), "backpressure")
    group.fails("dead", False)
    group.done(load)
    group.check_against(load)
    until(lambda: not worker.status()["backpressure"], "the end of the backpressure")


def test_a_tick_that_hangs_does_not_keep_the_worker(cluster: Callable[..., tuple[Cluster, Load]]) -> None:
    group, load = cluster(partitions=2)
    group.fails("hung")
    load.send(1_000)
    worker = group.worker("only").start()
    until(lambda: (worker.folder / "worker.ready").exists(), "the worker")
    worker.signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert not (worker.folder / "worker.ready").exists()
    assert group.committed() == {0: 0, 1: 0}


def test_a_tick_that_cannot_succeed_ends_the_worker_and_skips_nothing(
    cluster: Callable[..., tuple[Cluster, Load]],
) -> None:
    group, load = cluster(partitions=1)
    group.fails("broken")
    load.send(100)
    worker = group.worker("only").start()
    assert worker.wait(30) == 1
    assert f"{group.topic}/0[0..100)" in worker.log()
    assert group.committed() == {0: 0}
    group.fails("broken", False)
    worker.start()
    group.done(load)
    group.check_against(load)
