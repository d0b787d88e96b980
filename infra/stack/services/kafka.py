"""Kafka: one node that is broker and controller, on loopback, in plaintext."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from infra import jars
from infra.settings import LOOPBACK, Settings
from infra.stack.errors import ServiceFailedError
from infra.stack.plan import Command, Service
from infra.stack.probes import SECONDS, listens
from infra.stack.services.jvm import classpath, jvm, write_properties

HEAP = "512m"
_INDEX_BYTES = 1 << 20
"""Of an index of a log, for 350 MB of records at least. A partition's first record makes the system clear its two
indices to their full size; by itself that is 20 MB, and a broker with some hundred partitions is held up for seconds
when their first records come, and again after each start."""
_THREADS = {"num.network.threads": 1, "num.io.threads": 2}
"""By themselves three and eight, which on two cores hand requests to each other: a tenth of what the broker takes."""
FORMAT_SECONDS = 60
# Fixed, since a state folder holds one cluster and its name says nothing.
CLUSTER_ID = "Uml2ZXJtZWV0TG9jYWwwMQ"

_LOG4J = """status=warn
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c)%n%throwable
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
"""


def _properties(settings: Settings, data: Path) -> dict[str, object]:
    broker, controller = settings.ports.kafka, settings.ports.kafka_controller
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{broker},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{broker}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "delete.topic.enable": "true",
        "num.partitions": 1,
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,
        "log.retention.check.interval.ms": 60_000,
        "log.index.size.max.bytes": _INDEX_BYTES,
        **_THREADS,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }


def _command(settings: Settings) -> Command:
    folder = settings.home / "kafka"
    data = folder / "data"
    config = folder / "server.properties"
    write_properties(config, _properties(settings, data))
    (folder / "log4j2.properties").write_text(_LOG4J)
    java = (
        *jvm(jars.KAFKA, settings.cache, HEAP, f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"),
        *classpath(jars.KAFKA, settings.cache),
    )
    if not (data / "meta.properties").exists():
        _format(java, config, data, settings.cache)
    return Command((*java, "kafka.Kafka", str(config)))


def _format(java: tuple[str, ...], config: Path, data: Path, cache: Path) -> None:
    """Give the empty folder its cluster id; again after a start that died half way.

    That takes a Java of its own, so a folder that has nothing but its id is kept in the cache.
    """
    empty = cache / f"kafka-{jars.KAFKA.version}-{CLUSTER_ID}"
    if empty.exists() and not data.exists():
        _copy(empty, data)
        return
    tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(config))
    done = subprocess.run((*java, *tool), capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False)
    if done.returncode:
        raise ServiceFailedError("kafka", "could not format its data folder", (done.stdout + done.stderr)[-2000:])
    if not empty.exists():
        _copy(data, empty)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder so that it is there as a whole or not at all; one that another stack has made is as good."""
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(source, draft)
    try:
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft)
        if not target.exists():
            raise


def _ready(settings: Settings) -> bool:
    """A broker is ready when it says so itself in an answer about the cluster, not when its port opens."""
    if not listens(settings.ports.kafka):
        return False
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    client = AdminClient({"bootstrap.servers": f"{LOOPBACK}:{settings.ports.kafka}", "log_level": 0})
    try:
        return bool(client.list_topics(timeout=SECONDS).brokers)
    except KafkaException:
        return False


KAFKA = Service("kafka", _command, _ready, ports=("kafka", "kafka_controller"), memory=350)
