"""Where one fault happens: fresh topics, a fresh database, two workers, the load, and the checks at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
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
from schemas.verdicts import READERS
from streams.__main__ import GROUP
from tests.faults.forms import Form
from tests.faults.invariants import Broken, Evidence, check
from tests.faults.log import Load, LogReader, partitions
from tests.faults.servers import Servers
from tests.faults.traffic import PARTITIONS, Plan, Planned, Shape, encoder
from tests.faults.watch import Progress, Reader, Watch
from tests.faults.workers import Worker
from tests.merge.store import Store
from tests.support.waiting import until

RECOVERY_SECONDS = 120.0
"""Most time from the last fault until everything is applied and committed; 60 s are wanted of a machine of its own."""
ADMIN_SECONDS = 30.0


@dataclass
class Report:
    """One line about a fault: what was done, and what came of it.

    `records` that the log held, `faults` brought about, records that were `replayed` since a kill lost their commit,
    `polls` of readers meanwhile, `recovery` in seconds from the last fault until all was committed, most `memory` of a
    worker in MiB, `seconds` in all. `result` is `holds`, or what did not; `ok` whether that is as it should be.
    """

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
    result: str = "holds"
    ok: bool = True
    notes: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Run:
    """What the faults of one run share: servers, form, and the time at which all loads end, so that seeds say all.

    `digests`: (seed, records, day) -> the first fault that sent this plain load, and the digest of its answers.
    """

    servers: Servers
    form: Form
    now_ms: int
    digests: dict[tuple[int, int, date], tuple[str, str]] = field(default_factory=dict)


class Stage:
    """One fault's servers, workers and load; made by `stage`."""

    def __init__(self, run: Run, settings: Settings, folder: Path, report: Report) -> None:
        servers, form = run.servers, run.form
        self.servers, self.settings, self.form, self.report = servers, settings, form, report
        self.load, self.reader, self.log = Load(settings), Reader(settings), LogReader(settings)
        self._folder, self._admin = folder, AdminClient(settings.kafka.client_config() | {"log_level": 0})
        self._workers: dict[str, Worker] = {}
        self.group = GROUP if form.long else settings.clickhouse.database
        registry = Registry(settings.registry.url)
        ids = {topic: registry.register(TOPICS[topic]) for topic in PARTITIONS}
        self.encode = encoder(ids)
        self.rng = Random(report.seed)
        self.now_ms, self._digests = run.now_ms, run.digests
        self.watch = Watch(settings, lambda: list(self._workers.values()))

    def plan(self, count: int, shape: Shape = Shape(), name: str = "s") -> list[Planned]:  # noqa: B008 (frozen)
        """The seeded load of so many records."""
        return Plan(Random(f"{self.report.seed} {name}"), self.now_ms, self.encode, shape, name).records(count)

    def shares(self) -> list[list[Planned]]:
        """The plain load, in as many parts as there are kills."""
        plan, kills = self.plan(self.form.records), self.form.kills
        share = len(plan) // kills + 1
        return [plan[turn * share : (turn + 1) * share] for turn in range(kills)]

    def worker(self, name: str, **given: Any) -> Worker:
        """A worker of this stage, not yet started; `given` as `tests.faults.worker.run` takes it."""
        if name not in self._workers:
            start = self.form.worker(self.group, given)
            self._workers[name] = Worker(name, self._folder / name, self.settings, start)
        return self._workers[name]

    def bounded_worker(self, name: str, **bounds: int) -> Worker:
        """A worker that holds no more than this; `bounds` are fields of `infra.settings.Memory`."""
        worker = self.worker(name)
        worker.variables |= {f"RIVERMEET_MEMORY__{bound.upper()}": str(most) for bound, most in bounds.items()}
        return worker

    def start(self, *names: str) -> list[Worker]:
        """Start these workers, and wait until together they hold every partition."""
        workers = [self.worker(name) for name in names]
        for worker in workers:
            worker.start()
        self.wait_held(*workers)
        return workers

    def flow(self, seconds: float, records: int | None = None) -> None:
        """Send the plain load evenly over some seconds, in the background."""
        self.load.flow(self.plan(records or self.form.records), seconds)

    def change(self, statement: str) -> None:
        """Change a table behind everybody's back."""
        client = connect(self.settings.clickhouse, "admin")
        client.command(statement)
        client.close()

    def ask(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query over any table."""
        with self._store() as store:
            return store.rows(sql)

    def wait_held(self, *workers: Worker) -> None:
        """Wait until these workers together read every partition."""
        until(
            lambda: sum(worker.holds() for worker in workers) == len(self._inputs()),
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
        found = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(self.group, asked)])
        return {
            (tp.topic, tp.partition): max(tp.offset, 0)
            for tp in found[self.group].result(ADMIN_SECONDS).topic_partitions
        }

    def rewind(self, records: int) -> None:
        """Move every committed offset back by so many records; no worker may run."""
        back = [TopicPartition(*tp, max(0, offset - records)) for tp, offset in self.committed().items()]
        asked = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(self.group, back)])
        asked[self.group].result(ADMIN_SECONDS)

    def wait_group_empty(self) -> None:
        """Wait until the group has no members, not even dead ones."""
        until(lambda: not self._members(), "the group to be empty", RECOVERY_SECONDS)

    def settle(self, seconds: float = RECOVERY_SECONDS) -> None:
        """Wait for all to be applied and committed, then check every invariant. Raises `Broken`."""
        self.load.finish()
        self.wait_settled(seconds)
        self.check()

    def wait_settled(self, seconds: float = RECOVERY_SECONDS) -> None:
        """Wait for all that the log holds to be applied and committed. Raises `Broken`."""
        began = time.monotonic()
        try:
            until(self._settled, "all to be applied and committed", seconds)
        except TimeoutError as late:
            state = {"ends": self.log.ends(), "applied": self.reader.progress(), "committed": self.committed()}
            raise Broken("I6", f"{late}: {state}") from late
        self.report.recovery = round(time.monotonic() - began, 1)

    def check(self) -> None:
        """Every invariant, of what is applied now. Raises `Broken`."""
        self.watch.stop()
        held = self.log.read()
        self.report.records, self.report.polls = len(held), self.watch.polls
        self.report.memory = self.watch.peak_memory >> 20
        with self._store() as store:
            digest = check(Evidence(self.load.sent, self.load.acknowledged, held, store, self.settings))
        self.watch.check()
        self.report.digest = digest
        if self.load.sent == self.plan(self.form.records):
            self._same_as_other_faults(digest)

    def _same_as_other_faults(self, digest: str) -> None:
        """I8: the plain load gives these answers whatever breaks; a day that ends meanwhile changes what is cold."""
        key = (self.report.seed, len(self.load.sent), datetime.now(UTC).date())
        fault, known = self._digests.setdefault(key, (self.report.fault, digest))
        if known != digest:
            raise Broken("I8", f"{fault} ended with the answers {known}, {self.report.fault} with {digest}")

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

    def _settled(self) -> bool:
        """Whether all of the load is applied and committed, and all that the layer sends to itself is applied."""
        progress = self.reader.progress("1")
        ends = self.log.ends(self._inputs())
        if progress is None or any(progress.get(tp, 0) < end for tp, end in ends.items()):
            return False
        committed = self.committed()
        return all(offset >= ends[tp] for tp, offset in committed.items())

    def _uncommitted(self, committed: Progress) -> int:
        progress = self.reader.progress() or {}
        return sum(max(0, end - committed.get(tp, 0)) for tp, end in progress.items())

    def _inputs(self) -> list[tuple[str, int]]:
        """All partitions that workers read."""
        return [(topic, partition) for topic in READERS for partition in range(self.settings.partitions[topic])]

    def _members(self) -> int:
        described = self._admin.describe_consumer_groups([self.group], request_timeout=ADMIN_SECONDS)
        return len(described[self.group].result(ADMIN_SECONDS).members)


@contextmanager
def stage(run: Run, folder: Path, report: Report) -> Iterator[Stage]:
    """A stage in use; afterwards its processes are gone, and so are its topics and its database."""
    database = f"rivermeet_{report.fault.lower().replace('-', '_')}"
    counts = dict.fromkeys(TOPICS, 1) | PARTITIONS
    settings = run.servers.settings.model_copy(
        update={
            "partitions": counts,
            "clickhouse": run.servers.settings.clickhouse.model_copy(update={"database": database}),
        }
    )
    _clear(settings, None)  # what a run that was interrupted has left
    create_topics(settings)
    migrate_clickhouse(settings)
    opened = Stage(run, settings, folder, report)
    began = time.monotonic()
    opened.watch.start()
    try:
        yield opened
    except BaseException as error:
        report.ok, report.result = False, str(error)[:500] or repr(error)
        error.add_note(f"{report.fault} {report.form}, seed {report.seed}\n{opened.last_words()}")
        raise
    finally:
        opened.close()
        report.seconds = round(time.monotonic() - began, 1)
        _clear(settings, GROUP if run.form.long else None)


def _clear(settings: Settings, group: str | None) -> None:
    admin = AdminClient(settings.kafka.client_config() | {"log_level": 0})
    if left := _topics(admin):
        for removed in admin.delete_topics(left).values():
            removed.result(ADMIN_SECONDS)
    until(lambda: not _topics(admin), "the topics to be gone")
    if group is not None:
        until(lambda: _group_deleted(admin, group), "the group to be gone")
    client = connect(settings.clickhouse, "admin", database="default")
    client.command(f"DROP DATABASE IF EXISTS {settings.clickhouse.database} SYNC")
    client.close()


def _topics(admin: Any) -> list[str]:
    return sorted(set(TOPICS) & set(admin.list_topics(timeout=ADMIN_SECONDS).topics))


def _group_deleted(admin: Any, group: str) -> bool:
    """A group goes once its members are gone; killed ones are members until their session ends."""
    try:
        admin.delete_consumer_groups([group])[group].result(ADMIN_SECONDS)
    except KafkaException as error:
        return bool(error.args[0].name() == "GROUP_ID_NOT_FOUND")
    return True
