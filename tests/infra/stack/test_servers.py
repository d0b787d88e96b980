"""The real servers of a stack: killed, repaired, restarted, and gone without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from infra.cli import build
from infra.jars import KAFKA, fetch
from infra.settings import load_settings
from infra.stack.archives import SERVERS, write_archives
from infra.stack.ports import is_free
from infra.stack.prepare import PartitionsDifferError
from infra.stack.processes import find
from infra.stack.run import Outcome, down, up
from infra.stack.services.jvm import class_archive, java_archive, jvm
from infra.stack.status import status
from schemas.topics import TOPICS
from tests.support.stack import RunStack, listening_addresses

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

SERVICES = ["api", "cassandra", "clickhouse", "kafka", "points", "registry", "worker"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All but Airflow and features. The archives of the cache are made where there are none: half a minute."""
    folder, cache = tmp_path_factory.mktemp("stack") / "home", load_settings().cache
    fetch(cache, lambda _line: None)
    write_archives(cache, lambda _line: None)
    try:
        start(folder)
        yield folder
    finally:
        down(folder, wipe=True)


def start(home: Path, *names: str) -> Outcome:
    return up(home, names or SERVICES, lambda _line: None)


def leaders(home: Path) -> dict[str, int]:
    return {name: running.leader.pid for name, running in find(home).items() if running.leader}


def kill(home: Path, *names: str) -> None:
    for name in names:
        process = psutil.Process(leaders(home)[name])
        process.send_signal(signal.SIGKILL)
        process.wait(20)


def schema_ids(home: Path) -> dict[str, list[int]]:
    url = load_settings(home).registry.url
    subjects = httpx.get(f"{url}/subjects").json()
    return {s: [httpx.get(f"{url}/subjects/{s}/versions/latest").json()["id"]] for s in sorted(subjects)}


def test_up_twice_changes_nothing(home: Path) -> None:
    before = leaders(home)
    outcome = start(home)

    assert outcome.started == []
    assert leaders(home) == before


def test_topics_are_as_the_table_says(home: Path) -> None:
    topics = AdminClient(load_settings(home).kafka.client_config()).list_topics(timeout=10).topics

    assert {n: len(t.partitions) for n, t in topics.items() if n in TOPICS} == {
        name: topic.partitions for name, topic in TOPICS.items()
    }


def test_a_topic_of_another_size_stops_the_start(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERMEET_PARTITIONS", json.dumps({"user-events": 2}))

    with pytest.raises(PartitionsDifferError, match="user-events has 24 partitions and the settings want 2"):
        start(home)


@pytest.mark.parametrize("name", ["registry", "cassandra", "clickhouse", "worker", "points", "api"])
def test_what_is_killed_comes_back_alone(home: Path, name: str) -> None:
    before = leaders(home)
    kill(home, name)

    assert start(home).started == [name]
    assert {n for n, pid in leaders(home).items() if before[n] != pid} == {name}


def test_records_and_schema_ids_survive_that_everything_is_killed(home: Path) -> None:
    settings, ids = load_settings(home), schema_ids(home)
    producer = Producer(settings.kafka.client_config() | {"acks": "all"})
    producer.produce("alerts", b"kept", partition=0)
    producer.flush(20)
    kill(home, "kafka", "registry", "cassandra")
    start(home)

    consumer = Consumer(settings.kafka.client_config() | {"group.id": "none", "enable.auto.commit": False})
    consumer.assign([TopicPartition("alerts", 0, 0)])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    assert message.value() == b"kept"
    assert schema_ids(home) == ids


def test_an_analyst_asks_the_views_through_the_command_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERMEET_HOME", str(home))
    answer = CliRunner().invoke(build(), ["sql", "SELECT count() AS events FROM events", "--json"])
    refused = CliRunner().invoke(build(), ["sql", "SELECT * FROM events_speed"])

    assert json.loads(answer.stdout) == [{"events": 0}]
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: ")


def test_nobody_logs_in_to_cassandra_with_the_well_known_password(home: Path) -> None:
    from cassandra.auth import PlainTextAuthProvider
    from cassandra.cluster import Cluster, NoHostAvailable

    with pytest.raises(NoHostAvailable):
        Cluster(
            ["127.0.0.1"],
            load_settings(home).cassandra.port,
            auth_provider=PlainTextAuthProvider("cassandra", "cassandra"),
        ).connect()


def test_everything_listens_on_loopback_alone(home: Path) -> None:
    assert listening_addresses(home) == {"127.0.0.1"}


def test_servers_on_java_have_their_classes_from_the_archive(home: Path) -> None:
    cache = load_settings(home).cache
    for name, bundle in SERVERS.items():
        mapped = {Path(region.path) for region in psutil.Process(leaders(home)[name]).memory_maps()}
        assert {java_archive(cache), class_archive(bundle, cache)} <= mapped


def test_a_damaged_archive_keeps_no_server_from_starting(tmp_path: Path) -> None:
    archive = class_archive(KAFKA, tmp_path)
    archive.parent.mkdir()
    archive.write_bytes(b"damaged")
    command = (*jvm(KAFKA, tmp_path, "64m"), "-version")

    assert f"-XX:SharedArchiveFile={archive}" in command
    subprocess.run(command, check=True, timeout=60)


def test_a_second_stack_runs_beside_this_one(home: Path, run_stack: RunStack, kafka: str) -> None:
    assert load_settings(home).kafka.bootstrap != kafka
    assert not set(leaders(home).values()) & set(leaders(run_stack.home).values())


def test_status_tells_state_port_and_memory(home: Path) -> None:
    settings = load_settings(home)
    found = {service.name: service for service in status(settings)}

    assert found["kafka"].state == "ready"
    assert found["kafka"].ports[0] == int(settings.kafka.bootstrap.split(":")[1])
    assert found["kafka"].memory > 100 * 2**20
    assert found["airflow"].state == "stopped"


def test_a_start_that_is_killed_half_way_is_repaired_by_the_next(home: Path) -> None:
    kill(home, "kafka")
    program = "import sys; from infra.cli import main; sys.argv = ['rivermeet', 'up', 'kafka']; main()"
    with subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "RIVERMEET_HOME": str(home)}) as starting:
        deadline = time.monotonic() + 60
        while "kafka" not in find(home):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        starting.kill()
    start(home)

    assert len(find(home)["kafka"].members) == 1
    assert {s.name for s in status(load_settings(home)) if s.state == "ready"} == set(SERVICES)


def test_down_leaves_no_process_and_no_port(home: Path) -> None:
    ports = [port for service in status(load_settings(home)) for port in service.ports if service.state == "ready"]
    assert down(home) == SERVICES

    assert find(home) == {}
    assert all(map(is_free, ports))
