"""Programs forked from one process are services as all others are: marked, logged, detached, found and ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from infra.stack.errors import ServiceFailedError
from infra.stack.forking import ForkServer
from infra.stack.plan import Program, Service
from infra.stack.processes import FORK_SERVER, end, find, has_ended, leader, log_tail
from infra.stack.services.all import NODES
from tests.support.waiting import until

SECONDS = 20.0
PROGRAMS = "tests.infra.stack.programs"
TELL = Program(f"{PROGRAMS}:tell", ("one", "two"), (PROGRAMS,))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    end(tmp_path, None, 0)


@pytest.fixture
def forks(home: Path) -> Iterator[ForkServer]:
    with closing(ForkServer(home)) as forks:
        yield forks


def leaders(home: Path) -> dict[str, int | None]:
    return {name: running.leader.pid if running.leader else None for name, running in find(home).items()}


def test_a_forked_program_has_what_one_of_its_own_would_have(home: Path, forks: ForkServer) -> None:
    process = forks.fork("teller", TELL)
    until(lambda: log_tail(home, "teller").endswith("}"), "what it tells", SECONDS)

    facts = json.loads(log_tail(home, "teller"))
    parent = leader(home, FORK_SERVER)
    assert parent is not None
    assert facts == {
        "pid": process.pid,
        "session": process.pid,
        "imported_by": parent.pid,
        "arguments": ["one", "two"],
        "service": "teller",
        "home": str(home),
        "child_signal": True,
        "threads": 1,
        "stdin": os.devnull,
    }


def test_forks_are_found_under_their_own_names_and_ended_alone(home: Path, forks: ForkServer) -> None:
    one, two = forks.fork("one", TELL), forks.fork("two", TELL)

    found = leaders(home)
    assert (found["one"], found["two"]) == (one.pid, two.pid)
    assert end(home, ["one"], 5) == ["one"]
    assert leaders(home)["two"] == two.pid


def test_a_fork_outlives_the_process_that_it_came_from(home: Path) -> None:
    with closing(ForkServer(home)) as forks:
        one = forks.fork("one", TELL)

    assert leaders(home) == {"one": one.pid}


def test_who_is_killed_there_is_not_taken_for_alive(home: Path, forks: ForkServer) -> None:
    one = forks.fork("one", TELL)
    one.send_signal(signal.SIGKILL)

    until(lambda: has_ended(one), "the one to end", SECONDS)
    assert leader(home, "one") is None


def test_the_last_words_of_a_fork_are_in_its_log(home: Path, forks: ForkServer) -> None:
    process = forks.fork("one", Program(f"{PROGRAMS}:fail"))

    until(lambda: has_ended(process), "its end", SECONDS)
    assert log_tail(home, "one") == "no such disk"


def test_without_the_process_to_fork_from_nothing_is_started(home: Path, forks: ForkServer) -> None:
    one = forks.fork("one", TELL)
    parent = leader(home, FORK_SERVER)
    assert parent is not None
    parent.send_signal(signal.SIGKILL)
    parent.wait(20)

    with pytest.raises(ServiceFailedError, match="the process that it is forked from ended"):
        forks.fork("two", TELL)
    assert leaders(home) == {"one": one.pid}


def test_a_module_that_cannot_be_imported_is_in_the_error(forks: ForkServer) -> None:
    forks.load(["no_such_module"])

    with pytest.raises(ServiceFailedError, match="No module named 'no_such_module'"):
        forks.fork("one", TELL)


def test_what_our_programs_import_starts_no_thread_that_a_fork_would_lose() -> None:
    programs = [one.command for one in NODES.values() if isinstance(one, Service) and isinstance(one.command, Program)]
    modules = [module for program in programs for module in program.imports]
    count = "import sys, threading; [__import__(name) for name in sys.argv[1:]]; print(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", count, *modules], capture_output=True, text=True, check=True)

    assert len(programs) == 5
    assert done.stdout.strip() == "1"


def test_a_fork_that_nobody_recorded_counts_as_what_was_left_behind(home: Path) -> None:
    with closing(ForkServer(home)) as forks:
        one = forks.fork("one", TELL)
    (home / "run" / "one.pid").unlink()

    assert leaders(home) == {FORK_SERVER: None}
    assert end(home, [FORK_SERVER], 5) == [FORK_SERVER]
    assert not psutil.pid_exists(one.pid)
