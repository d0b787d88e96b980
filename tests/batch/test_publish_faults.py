"""Publishers that are killed before each of their requests, paused, doubled and overtaken, while somebody reads.

The reader must see whole versions and nothing else, never one that goes back, and a retry must finish the work.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from infra.clients.clickhouse import connect
from infra.settings import ROOT, ClickHouse
from tests.batch.reading import Answer, Reader
from tests.batch.runs import migrated_warehouse, write_run
from tests.oracle.log import event
from tests.oracle.records import LogRecord
from tests.support.clickhouse import clear
from tests.support.long import in_long_runs

pytestmark = [
    pytest.mark.servers,
    pytest.mark.timeout(600),
    in_long_runs,
]

DAY = date(2026, 3, 2)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with migrated_warehouse(tmp_path_factory.mktemp("faults")) as settings:
        yield settings


@pytest.fixture
def results(tmp_path: Path, warehouse: ClickHouse) -> Path:
    """Finished runs 1, 2 and 3: of so many lake commits, with as many sessions of two page views each."""
    with closing(connect(warehouse, "admin")) as client:
        clear(client, ("batch_events", "batch_sessions", "batch_products", "batch_publications", "batch_selections"))
    for run in (1, 2, 3):
        write_run(tmp_path, run, DAY, visits(run))
    return tmp_path


def visits(sessions: int) -> list[LogRecord]:
    """So many sessions of two page views each."""
    return [
        event(2 * n + place, f"{DAY} {time}", session=f"s{n}", event_id=f"e{n}{place}", product="p")
        for n in range(sessions)
        for place, time in enumerate(("10:00", "10:01"))
    ]


@pytest.fixture
def publisher(warehouse: ClickHouse, results: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a publisher of a run."""
    login = [warehouse.host, str(warehouse.port), warehouse.user, warehouse.password.get_secret_value()]

    def start(run: int, how: str = "go", at: int = 0) -> subprocess.Popen[str]:
        asked = [*login, results.as_uri(), f"run{run}", how, str(at)]
        command = [sys.executable, "-m", "tests.batch.publisher", *asked]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    return start


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=120)
    return process.returncode, said.strip()


@pytest.fixture
def reader(warehouse: ClickHouse, results: Path) -> Iterator[Reader]:
    thread = Reader(warehouse)
    thread.start()
    yield thread
    thread.stop()


def check(seen: list[Answer], last: int) -> None:
    """Every answer was a whole version: as many page views as two per session; newer lake commits came later."""
    assert all(one.page_views == 2 * one.sessions for one in seen), seen
    assert all(one.sessions == one.version >> 16 for one in seen), seen
    assert [one.sessions for one in seen] == sorted(one.sessions for one in seen), seen
    assert seen[-1].sessions == last, seen


def pointers(warehouse: ClickHouse) -> int:
    with closing(connect(warehouse)) as client:
        return int(client.command("SELECT count() FROM batch_selections"))


def test_a_publisher_killed_before_any_of_its_requests_is_finished_by_a_retry(
    publisher: Callable[..., subprocess.Popen[str]], reader: Reader, warehouse: ClickHouse
) -> None:
    code, said = ended(publisher(1))
    assert code == 0
    requests = int(said.split()[2])
    assert requests >= 8
    for at in range(1, requests + 1):
        code, _ = ended(publisher(2, "die", at))
        assert code == -signal.SIGKILL
    # The last one died while it looked whether it had won, after its pointer was written: the retry finds it in place.
    code, said = ended(publisher(2))
    assert (code, said.split()[1]) == (0, "False")
    assert ended(publisher(3))[0] == 0
    check(reader.stop(), 3)
    assert pointers(warehouse) == 3


def test_a_stale_copy_that_goes_on_changes_nothing(
    publisher: Callable[..., subprocess.Popen[str]], reader: Reader, warehouse: ClickHouse
) -> None:
    assert ended(publisher(1))[0] == 0
    for at in (2, 5, 6):
        paused = publisher(2, "stop", at)
        os.waitpid(paused.pid, os.WUNTRACED)
        assert ended(publisher(3))[0] == 0
        paused.send_signal(signal.SIGCONT)
        code, said = ended(paused)
        assert (code, "newer" in said) == (5, True)
    check(reader.stop(), 3)
    assert pointers(warehouse) == 2


def test_publishers_of_one_run_beside_each_other_leave_one_answer(
    publisher: Callable[..., subprocess.Popen[str]], reader: Reader, warehouse: ClickHouse
) -> None:
    codes = {ended(process)[0] for process in [publisher(2) for _ in range(3)]}
    assert 0 in codes <= {0, 5}
    check(reader.stop(), 2)
    with closing(connect(warehouse)) as client:
        current = client.query_arrow("SELECT sequence, version FROM current_publications").to_pylist()
    assert len(current) == 1
