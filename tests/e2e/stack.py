"""A whole stack for end-to-end tests: real servers, the worker as a process, the batch layer by its command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from infra.clients.clickhouse import connect
from infra.messages import TRANSACTIONS, USER_EVENTS, Message
from infra.send import send_all
from infra.settings import ROOT, Settings
from infra.stack.processes import log_tail
from tests.support.killing import kill
from tests.support.stack import RunStack

GROUP = "rivermeet-speed"
LOGS = (USER_EVENTS, TRANSACTIONS)
SECONDS = 120.0
BATCH_SECONDS = 240
PARTITIONS = '{"user-events": 4, "transactions": 4}'


class Live:
    """A running stack and what a test does with it."""

    def __init__(self, stack: RunStack, settings: Settings) -> None:
        self._stack, self.settings = stack, settings
        self._admin: Any = AdminClient(settings.kafka.client_config())
        self._client = connect(settings.clickhouse)
        self._analyst = connect(settings.clickhouse, "analyst")

    def ask(self, sql: str, **parameters: object) -> list[dict[str, Any]]:
        """Rows of a query as an analyst gets them."""
        return pl.DataFrame(self._analyst.query_arrow(sql, parameters=parameters)).to_dicts()

    def own(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query over the tables of the layers, which analysts do not see."""
        return pl.DataFrame(self._client.query_arrow(sql)).to_dicts()

    def change(self, statement: str) -> None:
        """Change a table behind everybody's back."""
        client = connect(self.settings.clickhouse, "admin")
        client.command(statement)
        client.close()

    def send(self, messages: Iterable[Message]) -> None:
        """Send and wait until the speed layer has applied everything."""
        send_all(self.settings, messages)
        self.wait_applied()

    def applied(self) -> int:
        """Records that the speed layer has applied."""
        sql = f"SELECT sum(applied) FROM (SELECT * FROM speed_progress FINAL) WHERE topic IN {LOGS}"
        return int(self._client.command(sql) or 0)

    def committed(self) -> int:
        """Records below the offsets from which a worker would begin again."""
        asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP)])
        found = asked[GROUP].result(10).topic_partitions
        return sum(max(partition.offset, 0) for partition in found if partition.topic in LOGS)

    def ends(self) -> int:
        """Records in the two logs."""
        topics = self._admin.list_topics(timeout=10).topics
        partitions = [TopicPartition(name, p) for name in LOGS for p in topics[name].partitions]
        asked = self._admin.list_offsets(dict.fromkeys(partitions, OffsetSpec.latest()))
        return sum(future.result(10).offset for future in asked.values())

    def wait_applied(self) -> None:
        """Wait until the speed layer has applied the present end of the logs."""
        end = self.ends()
        self.wait(lambda: self.applied() >= end, f"{end} records applied")

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Ask until it is done, or fail with the worker's last words."""
        deadline = time.monotonic() + SECONDS
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {SECONDS:.0f} s: {what}\n{log_tail(self.settings.home, 'worker')}")
            time.sleep(0.1)

    def kill_worker(self) -> None:
        """End the worker, with what it has started, as a power cut would."""
        kill(self.settings.home, "worker")

    def start_worker(self) -> None:
        """Start what does not run."""
        self._stack.server("worker")

    def batch(self, *arguments: str) -> str:
        """Run the batch layer's command and answer what it prints; fails with what it said."""
        done = self.command("-m", "batch", *arguments)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `rivermeet` as a person does."""
        return self.command("-c", "from infra.cli import main; main()", *arguments)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python on this stack."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "RIVERMEET_HOME": str(self.settings.home)},
            capture_output=True,
            text=True,
            timeout=BATCH_SECONDS,
            check=False,
        )


@contextmanager
def live(home: Path, **variables: str) -> Iterator[Live]:
    """A stack of its own with small topics; `variables` are settings without their prefix."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"PARTITIONS": PARTITIONS, **variables}.items():
            patch.setenv(f"RIVERMEET_{name}", value)
        stack = RunStack(home)
        try:
            yield Live(stack, stack.server("worker"))
        finally:
            stack.stop()
