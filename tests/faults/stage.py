"""Where one fault happens: fresh topics, a fresh database, two workers, the load, and the checks at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from infra.clients.clickhouse import connect
from infra.settings import Settings
from infra.stack.prepare import create_topics, migrate_clickhouse
from schemas.registry import Registry
from schemas.topics import TOPICS
from streams.__main__ import GROUP
from tests.faults.forms import Form
from tests.faults.invariants import Broken, Evidence, check
from tests.faults.log import Load, LogReader, partitions
from tests.faults.servers import Servers
from tests.faults.traffic import PARTITIONS, Plan, Planned, Shape, encoder
from tests.faults.watch import Progress, Reader, Watch
from tests.faults.workers import Worker
from tests.merge.store import Store
from tests.streams.cluster import until

RECOVERY_SECONDS = 120.0
"""Most time from the last fault until everything is applied and committed; 60 s are wanted of a machine of its own."""
ADMIN_SECONDS = 30.0


@dataclass
class Report:
    """One line about a fault: what was done, and what came of it. `recovery` in seconds, memory in MiB."""

    fault: str
    form: str
    seed: int
    records: int = 0
    faults: int = 0
    replayed: int = 0
    polls: int = 0
    recovery: float = 0.0
    memory: int = 0
    seconds: float = 0.0
    digest: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class Stage:
    """One fault's servers, workers and load; made by `stage`."""

    def __init__(
        self, servers: Servers, settings: Settings, folder: Path, form: Form, report: Report, now_ms: int
    ) -> None:
        self.servers, self.settings, self.form, self.report = servers, settings, form, report
        self.load, self.reader, self.log = Load(settings), Reader(settings), LogReader(settings)
        self._folder, self._admin = folder, AdminClient(settings.kafka.client_config() | {"log_level": 0})
        self._workers: dict[str, Worker] = {}
        registry = Registry(settings.registry.url)
        ids = {topic: registry.register(TOPICS[topic]) for topic in PARTITIONS}
        self.encode = encoder(ids)
        self.rng = Random(report.seed)
        self.now_ms = now_ms
        self.watch = Watch(settings, lambda: list(self._workers.values()))

    def plan(self, count: int, shape: Shape = Shape(), name: str = "s") -> list[Planned]:  # noqa: B008 (frozen)
        """The seeded load of so many records."""
        return Plan(Random(f"{self.report.seed} {name}"), self.now_ms, self.encode, shape, name).records(count)

    def worker(self, name: str, **given: Any) -> Worker:
        """A worker of this stage, not yet started; `given` as `tests.faults.worker` takes it."""
        if name not in self._workers:
            start = self.form.worker(given)
            self._workers[name] = Worker(name, self._folder / name, self.settings, start)
        return self._workers[name]

    def start(self, *names: str) -> list[Worker]:
        """Start these workers, and wait until together they hold every partition."""
        workers = [self.worker(name) for name in names]
        for worker in workers:
            worker.start()
        self.wait_held(*workers)
        return workers

    def wait_held(self, *workers: Worker) -> None:
        """Wait until these workers together read every partition."""
        until(
            lambda: sum(worker.holds() for worker in workers) == self._inputs(),
            "all partitions to be read",
            RECOVERY_SECONDS,
        )

    def kill(self, worker: Worker) -> None:
        """End a worker as a power cut would, while it has applied what it has not committed."""
        with_replay = self._uncommitted(self.committed()) > 0
        worker.kill()
        self.report.faults += 1
        replayed = self._uncommitted(self.committed())
        self.report.replayed += replayed
        if with_replay and not replayed:
            self.report.notes["kills_between_commits"] = self.report.notes.get("kills_between_commits", 0) + 1

    def applied(self) -> int:
        """Records of both topics that are applied; 0 while the store does not answer."""
        return sum((self.reader.progress() or {}).values())

    def wait_applied(self, records: int) -> None:
        """Wait until so many records in all are applied."""
        until(lambda: self.applied() >= records, f"{records} records applied", RECOVERY_SECONDS)

    def committed(self) -> Progress:
        """Offset from which each partition would be read again."""
        asked = [TopicPartition(*tp) for tp in partitions()]
        found = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP, asked)])
        return {
            (tp.topic, tp.partition): max(tp.offset, 0) for tp in found[GROUP].result(ADMIN_SECONDS).topic_partitions
        }

    def rewind(self, records: int) -> None:
        """Move every committed offset back by so many records; no worker may run."""
        back = [TopicPartition(*tp, max(0, offset - records)) for tp, offset in self.committed().items()]
        asked = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP, back)])
        asked[GROUP].result(ADMIN_SECONDS)

    def wait_group_empty(self) -> None:
        """Wait until the group has no members, not even dead ones."""
        until(lambda: not self._members(), "the group to be empty", RECOVERY_SECONDS)

    def settle(self) -> str:
        """Wait for all to be applied and committed, then check every invariant; answers the digest of all answers."""
        self.load.finish()
        began = time.monotonic()
        ends = self.log.ends()
        try:
            until(lambda: self._settled(ends), "all to be applied and committed", RECOVERY_SECONDS)
        except TimeoutError as late:
            state = {"ends": ends, "applied": self.reader.progress(), "committed": self.committed()}
            raise Broken("I6", f"{late}: {state}") from late
        self.report.recovery = round(time.monotonic() - began, 1)
        return self.check()

    def check(self) -> str:
        """Every invariant, of what is applied now."""
        self.watch.stop()
        held = self.log.read()
        self.report.records, self.report.polls = len(held), self.watch.polls
        self.report.memory = self.watch.peak_memory >> 20
        with self._store() as store:
            digest = check(Evidence(self.load.sent, self.load.acknowledged, held, store))
        self.watch.check()
        self.report.digest = digest
        return digest

    def close(self) -> None:
        """End what was started, and remove topics, offsets and the database."""
        self.watch.stop()
        for worker in self._workers.values():
            worker.close()

    def last_words(self) -> str:
        """The ends of the workers' logs."""
        return "\n".join(f"--- worker {name}\n{worker.last_words()}" for name, worker in self._workers.items())

    @contextmanager
    def _store(self) -> Iterator[Store]:
        client = connect(self.settings.clickhouse)
        try:
            yield Store(client)
        finally:
            client.close()

    def _settled(self, ends: Progress) -> bool:
        progress = self.reader.progress()
        wanted = {tp: end for tp, end in ends.items() if end}
        if progress is None or any(progress.get(tp, 0) < end for tp, end in wanted.items()):
            return False
        committed = self.committed()
        return all(committed.get(tp, 0) >= end for tp, end in wanted.items())

    def _uncommitted(self, committed: Progress) -> int:
        progress = self.reader.progress() or {}
        return sum(max(0, end - committed.get(tp, 0)) for tp, end in progress.items())

    def _inputs(self) -> int:
        return sum(self.settings.partitions[topic] for topic in _read_topics())

    def _members(self) -> int:
        described = self._admin.describe_consumer_groups([GROUP], request_timeout=ADMIN_SECONDS)
        return len(described[GROUP].result(ADMIN_SECONDS).members)


def _read_topics() -> list[str]:
    from schemas.verdicts import READERS

    return list(READERS)


@contextmanager
def stage(servers: Servers, folder: Path, form: Form, report: Report, now_ms: int) -> Iterator[Stage]:
    """A stage in use; afterwards its processes are gone, and so are its topics and its database."""
    database = f"rivermeet_{report.fault.lower().replace('-', '_')}"
    counts = dict.fromkeys(TOPICS, 1) | PARTITIONS
    settings = servers.settings.model_copy(
        update={
            "partitions": counts,
            "clickhouse": servers.settings.clickhouse.model_copy(update={"database": database}),
        }
    )
    create_topics(settings)
    migrate_clickhouse(settings)
    opened = Stage(servers, settings, folder, form, report, now_ms)
    began = time.monotonic()
    opened.watch.start()
    try:
        yield opened
    except BaseException as error:
        error.add_note(f"{report.fault} {report.form}, seed {report.seed}\n{opened.last_words()}")
        raise
    finally:
        opened.close()
        report.seconds = round(time.monotonic() - began, 1)
        _clear(settings)


def _clear(settings: Settings) -> None:
    admin = AdminClient(settings.kafka.client_config() | {"log_level": 0})
    for removed in admin.delete_topics(list(TOPICS)).values():
        removed.result(ADMIN_SECONDS)
    until(lambda: not set(TOPICS) & set(admin.list_topics(timeout=ADMIN_SECONDS).topics), "the topics to be gone")
    until(lambda: _group_deleted(admin), "the group to be gone")
    client = connect(settings.clickhouse, "admin")
    client.command(f"DROP DATABASE IF EXISTS {settings.clickhouse.database} SYNC")
    client.close()


def _group_deleted(admin: Any) -> bool:
    """A group goes once its members are gone; killed ones are members until their session ends."""
    try:
        admin.delete_consumer_groups([GROUP])[GROUP].result(ADMIN_SECONDS)
    except KafkaException as error:
        return bool(error.args[0].name() == "GROUP_ID_NOT_FOUND")
    return True
