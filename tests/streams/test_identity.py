"""Which log a topic is, asked of a real broker."""

from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from streams.app import STOP_SECONDS
from streams.errors import LogRefused, PartitionsChanged
from streams.hold import Log
from streams.identity import identify, verify
from tests.streams.cluster import Cluster, Load, make_topic
from tests.support.waiting import until

pytestmark = pytest.mark.servers


class Remembering:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int, Mapping[int, int]]] = []

    def epoch_for(self, topic: str, topic_id: str, partitions: int, end_offsets: Mapping[int, int]) -> int:
        self.asked.append((topic, topic_id, partitions, end_offsets))
        return 4


def remake(bootstrap: str, topic: str, partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.delete_topics([topic])[topic].result(15)
    config = {"message.timestamp.type": "LogAppendTime"}

    def made() -> bool:
        new = NewTopic(topic, partitions, 1, config=config)
        return admin.create_topics([new])[topic].exception(15) is None

    until(made, "the topic to be made anew")


def test_a_log_is_known_by_its_id_its_partitions_and_its_ends(kafka: str) -> None:
    topic = make_topic(kafka, 3)
    load = Load(kafka, topic, 3, seed=1)
    load.send(30)
    epochs = Remembering()
    found = identify({"bootstrap.servers": kafka}, [topic], epochs)
    assert found == {topic: Log(epoch=4, partitions=3, topic_id=epochs.asked[0][1])}
    ends = {p: sum(1 for partition, _ in load.log if partition == p) for p in range(3)}
    assert [(t, count, found) for t, _, count, found in epochs.asked] == [(topic, 3, ends)]
    remake(kafka, topic, 3)
    identify({"bootstrap.servers": kafka}, [topic], epochs)
    first, second = (topic_id for _, topic_id, _, _ in epochs.asked)
    assert first != second


def test_a_topic_that_is_missing_is_refused(kafka: str) -> None:
    with pytest.raises(LogRefused, match="that the topic exists"):
        identify({"bootstrap.servers": kafka}, [f"missing-{uuid4().hex}"], Remembering())


def test_a_running_worker_ends_when_its_log_is_made_anew(kafka: str, tmp_path: Path) -> None:
    topic = make_topic(kafka, 1)
    group, load = Cluster(kafka, tmp_path, topic, 1), Load(kafka, topic, 1, seed=2)
    try:
        load.send(500)
        worker = group.worker("only").start()
        group.done(load)
        remake(kafka, topic, 1)
        load.send(100)
        assert worker.wait(STOP_SECONDS + 30) == 1
        assert f"LogRefused: topic {topic}" in worker.log() or f"AnotherLog: topic {topic}" in worker.log()
        assert group.seen() == 500
    finally:
        group.close()


def test_partitions_that_were_added_are_refused(kafka: str) -> None:
    topic = make_topic(kafka, 2)
    config = {"bootstrap.servers": kafka}
    logs = identify(config, [topic], Remembering())
    verify(config, logs)
    admin = AdminClient(config)
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result(15)
    until(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 3, "the partition")
    with pytest.raises(PartitionsChanged):
        verify(config, logs)


def test_a_log_without_append_times_is_refused(kafka: str, tmp_path: Path) -> None:
    topic = make_topic(kafka, 1, message_timestamp_type="CreateTime")
    group = Cluster(kafka, tmp_path, topic, 1)
    try:
        Load(kafka, topic, 1, seed=3).send(10)
        worker = group.worker("only").start()
        assert worker.wait() == 1
        assert "set message.timestamp.type=LogAppendTime" in worker.log()
        assert group.seen() == 0
    finally:
        group.close()
