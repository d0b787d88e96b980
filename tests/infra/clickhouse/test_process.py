"""The owner as a process: killed, stopped, started twice, left by its clients, given more than fits in memory."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow as pa
import pytest

from tests.support.clickhouse import ROOT, Endpoint, running_owner, start_owner, stop_owner

pytestmark = pytest.mark.servers

BLOCK = 5_000


def test_kill_minus_nine_loses_no_acknowledged_row_and_leaves_no_half_block(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    acknowledged: set[int] = set()
    sent = 0
    for _ in range(5):
        process, endpoint = start_owner(tmp_path / "store")
        client = endpoint.client()
        client.command("CREATE TABLE IF NOT EXISTS t (block Int64, n Int64) ENGINE = MergeTree ORDER BY (block, n)")
        killer = threading.Timer(chance.uniform(0.2, 1.5), process.send_signal, [signal.SIGKILL])
        killer.start()
        with contextlib.suppress(Exception):
            while True:
                sent += 1
                rows = pa.table({"block": [sent] * BLOCK, "n": list(range(BLOCK))})
                client.insert_arrow("t", rows)
                acknowledged.add(sent)
        stop_owner(process)

    with running_owner(tmp_path / "store") as endpoint:
        counts = dict(endpoint.client().query("SELECT block, count() FROM t GROUP BY block").result_rows)
    assert set(counts.values()) == {BLOCK}, f"seed {seed}"
    assert acknowledged <= set(counts), f"seed {seed}"
    assert len(acknowledged) >= 5, f"seed {seed}"


def test_sigterm_stops_a_busy_owner_within_seconds(tmp_path: Path) -> None:
    process, endpoint = start_owner(tmp_path / "store")
    login = ("writer", endpoint.users["writer"])
    sql = "SELECT sleepEachRow(1) FROM numbers(100) SETTINGS max_block_size = 1"

    def ask() -> None:
        with contextlib.suppress(httpx.HTTPError):
            httpx.post(endpoint.url, content=sql, auth=login, timeout=60)

    def insert_slowly() -> None:
        def pieces() -> Iterator[bytes]:
            for _ in range(60):
                yield b"1\n"
                time.sleep(1)

        url = {"query": "INSERT INTO slow FORMAT TSV", "database": "rivermeet"}
        with contextlib.suppress(httpx.HTTPError):
            httpx.post(endpoint.url, params=url, content=pieces(), auth=login, timeout=60)

    endpoint.client().command("CREATE TABLE slow (n Int64) ENGINE = MergeTree ORDER BY n")
    busy = [threading.Thread(target=target, daemon=True) for target in (ask, ask, insert_slowly)]
    for thread in busy:
        thread.start()
    time.sleep(1)
    process.terminate()
    code = process.wait(20)
    for thread in busy:
        thread.join()

    assert code == 0
    with running_owner(tmp_path / "store") as again:
        assert again.client().command("SELECT 1") == 1
    stop_owner(process)


def test_a_second_owner_is_told_so_in_one_sentence(tmp_path: Path) -> None:
    with running_owner(tmp_path / "store") as endpoint:
        users = tmp_path / "store" / "users.json"
        command = [sys.executable, "-m", "infra.clickhouse", "--path", str(tmp_path / "store"), "--port", "0"]
        second = subprocess.run(
            [*command, "--users", str(users)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )

        assert endpoint.client().command("SELECT 1") == 1
    assert second.returncode == 1
    assert second.stderr.strip().splitlines() == [
        f"clickhouse: another ClickHouse owner is running on {tmp_path / 'store'}:"
        " stop it first, or choose another --path"
    ]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"users": [{"name": "a"}]}', '{"users": [{"name": "a", "profile": "x"}]}']
)
def test_a_bad_users_file_is_told_so(tmp_path: Path, content: str) -> None:
    users = tmp_path / "users.json"
    users.touch(mode=0o600)
    users.write_text(content)
    command = [sys.executable, "-m", "infra.clickhouse", "--path", str(tmp_path), "--users", str(users)]

    failed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert failed.returncode == 1
    assert len(failed.stderr.strip().splitlines()) == 1


def test_a_users_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    users.write_text(json.dumps({"users": []}))
    users.chmod(0o644)
    command = [sys.executable, "-m", "infra.clickhouse", "--path", str(tmp_path), "--users", str(users)]

    failed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert "chmod 600" in failed.stderr


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """An owner that may take little memory, with a table to fill."""
    with running_owner(tmp_path_factory.mktemp("big") / "store", "--memory-bytes", str(1 << 30)) as endpoint:
        endpoint.client().command("CREATE TABLE big (n Int64, text String) ENGINE = MergeTree ORDER BY n")
        yield endpoint


def _login(endpoint: Endpoint, **url: str) -> dict[str, Any]:
    return {
        "auth": ("writer", endpoint.users["writer"]),
        "params": {"database": "rivermeet"} | url,
        "timeout": 120,
        "headers": {"Accept-Encoding": "identity"},
    }


class _Peak:
    """The most memory that a process has taken while the block ran, in bytes, beyond what it had at first."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.first = self._process.memory_info().rss
        self.grown = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.grown = max(self.grown, self._process.memory_info().rss - self.first)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


ROW = b"%d\t" + b"x" * 1000 + b"\n"
GIGABYTE = 1_000_000


def test_a_gigabyte_goes_in_and_out_in_bounded_memory(big: Endpoint) -> None:
    pieces = (b"".join(ROW % n for n in range(start, start + 1000)) for start in range(0, GIGABYTE, 1000))
    with _Peak(big.pid) as inserting:
        answer = httpx.post(big.url, content=pieces, **_login(big, query="INSERT INTO big FORMAT TSV"))
    assert answer.status_code == 200, answer.text

    received = 0
    with (
        _Peak(big.pid) as selecting,
        httpx.stream("POST", big.url, content="SELECT * FROM big FORMAT JSONEachRow", **_login(big)) as result,
    ):
        for piece in result.iter_bytes():
            received += len(piece)

    assert received > 1_000_000_000
    assert inserting.grown < 900 << 20
    assert selecting.grown < 600 << 20


def test_a_result_that_is_held_back_is_not_held_in_memory(big: Endpoint) -> None:
    sql = "SELECT number, repeat('x', 1000) FROM numbers(600000) FORMAT TSV"
    login = _login(big, wait_end_of_query="1", output_format_parallel_formatting="0", max_block_size="1000")
    with _Peak(big.pid) as peak:
        answer = httpx.post(big.url, content=sql, **login)

    assert len(answer.content) > 600_000_000
    assert peak.grown < 150 << 20


def _running(endpoint: Endpoint) -> int:
    return int(endpoint.client("admin").command("SELECT count() - 1 FROM system.processes"))


def _until_idle(endpoint: Endpoint) -> bool:
    deadline = time.monotonic() + 20
    while _running(endpoint) and time.monotonic() < deadline:
        time.sleep(0.2)
    return _running(endpoint) == 0


def test_a_client_that_goes_away_takes_its_query_along(big: Endpoint) -> None:
    sql = "SELECT sum(sleepEachRow(0.1)) FROM numbers(10000) SETTINGS max_block_size = 1"
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(big.url, content=sql, **_login(big) | {"timeout": 1})

    assert _until_idle(big)


def test_a_client_that_stops_reading_takes_its_query_along(big: Endpoint) -> None:
    with httpx.stream("POST", big.url, content="SELECT number FROM numbers(10000000000)", **_login(big)) as result:
        next(result.iter_raw())

    assert _until_idle(big)


def test_an_insert_that_breaks_off_inserts_nothing(big: Endpoint) -> None:
    big.client().command("CREATE OR REPLACE TABLE part (n Int64, text String) ENGINE = MergeTree ORDER BY n")

    def broken() -> Iterator[bytes]:
        for start in range(0, 20_000, 1000):
            yield b"".join(ROW % n for n in range(start, start + 1000))
        raise ConnectionError

    with pytest.raises(ConnectionError):
        httpx.post(big.url, content=broken(), **_login(big, query="INSERT INTO part FORMAT TSV"))

    assert _until_idle(big)
    assert big.client().command("SELECT count() FROM part") == 0


def test_more_clients_than_slots_all_get_their_answer(tmp_path: Path) -> None:
    with running_owner(tmp_path / "store", "--slots", "2") as endpoint:
        answers: list[str] = []

        def ask(number: int) -> None:
            answer = httpx.post(endpoint.url, content=f"SELECT {number} + sleep(0.1)", **_login(endpoint))
            answers.append(answer.text)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(answers, key=int) == [f"{number}\n" for number in range(20)]
        assert len(list(Path(f"/proc/{endpoint.pid}/fd").iterdir())) < 400
