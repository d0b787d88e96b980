"""Processes are found by their mark alone, and ended to the last one, but no other is ever touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.stack.processes import SERVICE, STACK, Running, end, find, log_tail, start
from tests.support.waiting import until

SECONDS = 20.0
SLEEP = "import time; time.sleep(300)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True); {SLEEP}"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEP}"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end(tmp_path, None, 0)


def run(home: Path, service: str, program: str) -> int:
    return start(home, service, (sys.executable, "-c", program), {}).pid


def count(home: Path) -> int:
    return len(find(home).get("one", Running(None, [])).members)


def test_a_service_is_found_with_its_descendants_and_its_leader_known(home: Path) -> None:
    pid = run(home, "one", PARENT)
    until(lambda: count(home) == 2, "both processes", SECONDS)

    leader = find(home)["one"].leader
    assert leader is not None
    assert leader.pid == pid


def test_end_reaches_descendants_in_sessions_of_their_own(home: Path) -> None:
    run(home, "one", PARENT)
    until(lambda: count(home) == 2, "both processes", SECONDS)

    assert end(home, None, 5) == ["one"]
    assert find(home) == {}


def test_descendants_of_a_killed_leader_are_found_and_ended(home: Path) -> None:
    pid = run(home, "one", PARENT)
    until(lambda: count(home) == 2, "both processes", SECONDS)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    left = find(home)["one"]
    (orphan,) = left.members
    assert left.leader is None
    assert end(home, ["one"], 5) == ["one"]
    assert not orphan.is_running()


def test_who_ignores_the_request_to_end_is_killed(home: Path) -> None:
    run(home, "deaf", STUBBORN)
    until(lambda: log_tail(home, "deaf") == "deaf", "its log", SECONDS)

    assert end(home, None, 0.2) == ["deaf"]
    assert find(home) == {}


def test_only_the_named_services_of_this_stack_are_ended(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    kept = [run(home, "two", SLEEP), run(elsewhere, "one", SLEEP)]
    run(home, "one", SLEEP)

    assert end(home, ["one"], 5) == ["one"]
    assert all(psutil.pid_exists(pid) for pid in kept)
    end(elsewhere, None, 5)


def test_a_program_that_only_uses_the_stack_is_not_ours(home: Path) -> None:
    environment = {**os.environ, "RIVERMEET_HOME": str(home)}
    with subprocess.Popen([sys.executable, "-c", SLEEP], env=environment) as user:
        assert end(home, None, 5) == []
        assert user.poll() is None
        user.kill()


def test_half_a_mark_is_no_mark(home: Path) -> None:
    for variables in ({STACK: str(home)}, {SERVICE: "one"}):
        with subprocess.Popen([sys.executable, "-c", SLEEP], env={**os.environ, **variables}) as process:
            assert find(home) == {}
            process.kill()


def test_a_long_log_is_put_aside(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.stack.processes.LOG_BYTES", 10)
    for word in ("first", "second"):
        run(home, "one", f"print('{word} ' * 3)")
        until(lambda word=word: word in log_tail(home, "one"), word, SECONDS)  # type: ignore[misc]

    assert log_tail(home, "one").startswith("second")
    assert (home / "log" / "one.log.1").read_text().startswith("first")
