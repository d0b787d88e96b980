"""Rows leave the worker for another process; whatever becomes of it is an error in time, which a new one mends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from infra.settings import ROOT
from schemas.topics import Topic
from streams.outbox import Outbox
from streams.outputs import OutputUnavailable
from streams.sending import SendingFailed
from streams.writes import Write
from tests.support.waiting import until

CONFIG = {"bootstrap.servers": "127.0.0.1:1"}
STARTED, CONFIRM = ["started", CONFIG], ["confirm"]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


@pytest.fixture
def outbox(notes: Path) -> Iterator[Outbox]:
    opened = Outbox(CONFIG, find_id, recorder(notes), seconds=20.0)
    yield opened
    opened.close()


def recorder(notes: Path) -> tuple[str, ...]:
    return sys.executable, "-m", "tests.streams.sender", str(notes)


def find_id(topic: Topic) -> int:
    return len(topic.name)


def noted(*values: str) -> list[Any]:
    return ["speed_alerts", len("alerts"), list(values)]


def rows(*values: str) -> Write:
    return Write("speed_alerts", pl.DataFrame({"value": values}))


def read(notes: Path) -> list[list[Any]]:
    return [json.loads(line) for line in notes.read_text().splitlines()]


def process(outbox: Outbox) -> subprocess.Popen[bytes]:
    assert outbox._sender is not None
    return outbox._sender.process


def test_rows_go_in_their_order_and_are_confirmed(outbox: Outbox, notes: Path) -> None:
    many = [f"{number:0100}" for number in range(50_000)]
    outbox.send(rows("a", "b"))
    outbox.send(Write("speed_progress", pl.DataFrame({"value": ["has no topic"]})))
    outbox.send(rows(*many))
    outbox.confirm()
    started, first, *parts, confirmed = read(notes)
    assert (started, first, confirmed) == (STARTED, noted("a", "b"), CONFIRM)
    assert [value for part in parts for value in part[2]] == many
    assert outbox.spent["send"] > 0


def test_without_rows_nothing_is_started(outbox: Outbox) -> None:
    outbox.confirm()
    assert outbox._sender is None


def test_what_time_mends_is_told_at_the_confirmation(outbox: Outbox, notes: Path) -> None:
    outbox.send(rows("unavailable"))
    outbox.send(rows("after it"))
    with pytest.raises(OutputUnavailable, match="no answer") as refused:
        outbox.confirm()
    assert refused.value.waiting == 3
    outbox.send(rows("again"))
    outbox.confirm()
    assert read(notes) == [STARTED, noted("again"), CONFIRM]


def test_what_no_time_mends_is_another_error_and_says_where(outbox: Outbox) -> None:
    outbox.send(rows("broken"))
    with pytest.raises(SendingFailed, match=r"(?s)in send.*no such column"):
        outbox.confirm()


def test_a_process_that_was_killed_is_replaced(outbox: Outbox, notes: Path) -> None:
    outbox.send(rows("a"))
    outbox.confirm()
    spent, first = outbox.spent["send"], process(outbox)
    first.kill()
    first.wait()
    with pytest.raises(OutputUnavailable, match="process"):
        outbox.send(rows("lost"))
        outbox.confirm()
    outbox.send(rows("b"))
    outbox.confirm()
    assert read(notes) == [STARTED, noted("a"), CONFIRM, STARTED, noted("b"), CONFIRM]
    assert outbox.spent["send"] > spent


def test_a_process_that_stands_still_is_given_up(notes: Path) -> None:
    outbox = Outbox(CONFIG, find_id, recorder(notes), seconds=1.0)
    outbox.start()
    first = process(outbox)
    os.kill(first.pid, signal.SIGSTOP)
    with pytest.raises(OutputUnavailable, match="TimeoutError"):
        outbox.send(rows("x" * (8 << 20)))
    assert first.returncode == -signal.SIGKILL
    outbox.close()


def test_it_ends_with_its_worker_and_not_before() -> None:
    """A stack ends all its processes at once, by SIGTERM: the worker has rows to send yet."""
    program = (
        "from streams.outbox import *; o = Outbox({}, id); o.start(); print(o._sender.process.pid, flush=True); input()"
    )
    command, pipe = [sys.executable, "-c", program], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as worker:
        assert worker.stdout is not None
        sender = psutil.Process(int(worker.stdout.readline()))
        until(lambda: _ignores(sender, signal.SIGTERM), "the sender to be there")
        sender.terminate()
        time.sleep(0.5)
        assert sender.is_running()
        worker.kill()
    until(lambda: not sender.is_running(), "the sender to end")


def _ignores(process: psutil.Process, number: signal.Signals) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    ignored = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(ignored, 16) >> (number - 1) & 1)
