"""Order, failure and repair of a stack, shown on small services that do nothing."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from infra.settings import Settings
from infra.stack.errors import PortTakenError, ServiceFailedError, UnknownServiceError
from infra.stack.forking import ForkServer
from infra.stack.plan import Command, Node, Program, Service, Step
from infra.stack.processes import FORK_SERVER, find, has_ended, leader
from infra.stack.run import Outcome, down, up

SLEEP = "import time; time.sleep(300)"


def service(name: str, *needs: str, program: str = SLEEP) -> Service:
    def command(_settings: Settings) -> Command:
        return Command((sys.executable, "-c", program))

    return Service(name, command, lambda settings: name in find(settings.home), needs=needs)


def program(name: str) -> Service:
    return replace(service(name), command=Program("signal:pause"))


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    monkeypatch.setattr("infra.stack.run.NODES", nodes)
    monkeypatch.setattr("infra.stack.run.GRACE_SECONDS", 5)
    return nodes


@pytest.fixture
def home(tmp_path: Path, nodes: dict[str, Node]) -> Iterator[Path]:
    yield tmp_path / "home"
    down(tmp_path / "home")


def start(home: Path, *names: str) -> Outcome:
    return up(home, names, lambda _line: None)


def add(nodes: dict[str, Node], *added: Node) -> None:
    nodes.update({node.name: node for node in added})


def pids(home: Path) -> dict[str, int]:
    return {name: running.leader.pid for name, running in find(home).items() if running.leader}


def test_up_twice_changes_nothing(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, service("one"), service("two", "one"))
    first = start(home)
    before = pids(home)
    second = start(home)

    assert (first.started, second.started, second.kept) == (["one", "two"], [], ["one", "two"])
    assert pids(home) == before


def test_up_repairs_what_was_killed_and_only_that(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, service("one"), service("two"))
    start(home)
    before = pids(home)
    os.kill(before["one"], signal.SIGKILL)

    assert start(home).started == ["one"]
    assert pids(home)["two"] == before["two"]
    assert pids(home)["one"] != before["one"]


def test_what_a_killed_service_leaves_behind_is_ended_before_it_starts_again(
    home: Path, nodes: dict[str, Node]
) -> None:
    child = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True); "

    def both_run(settings: Settings) -> bool:
        running = find(settings.home).get("one")
        return running is not None and len(running.members) == 2

    add(nodes, replace(service("one", program=child + SLEEP), ready=both_run))
    start(home)
    before = find(home)["one"]
    os.kill(pids(home)["one"], signal.SIGKILL)

    assert start(home).started == ["one"]
    assert not {process.pid for process in before.members} & {process.pid for process in find(home)["one"].members}


def test_a_start_that_was_killed_before_it_could_tell_is_repaired(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, service("one"))
    start(home)
    before = pids(home)["one"]
    (home / "run" / "one.pid").unlink()

    assert start(home).started == ["one"]
    assert pids(home)["one"] != before
    assert len(find(home)["one"].members) == 1


def test_a_number_that_went_to_another_process_is_not_ours(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, service("one"))
    start(home)
    down(home)
    (home / "run" / "one.pid").write_text(f"{os.getpid()} 1.0")

    assert down(home) == []
    assert start(home).started == ["one"]


def test_programs_end_before_the_servers_that_they_need(home: Path, nodes: dict[str, Node]) -> None:
    tell = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit())); "
    add(nodes, service("server"), service("program", "server", program=tell + SLEEP))
    start(home)
    time.sleep(0.3)
    server = find(home)["server"].members[0]
    order: list[bool] = []
    ending = threading.Thread(target=lambda: down(home))
    ending.start()
    while "program" in find(home):
        order.append(server.is_running())
    ending.join()

    assert order
    assert all(order)


def test_a_name_brings_what_it_needs_and_no_more(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, service("one"), service("two", "one"), service("three"))

    assert start(home, "two").started == ["one", "two"]


def test_steps_run_between_what_they_need_and_what_needs_them(home: Path, nodes: dict[str, Node]) -> None:
    seen: list[list[str]] = []
    step = Step("step", lambda settings: seen.append(sorted(find(settings.home))), needs=("one",))
    add(nodes, service("one"), step, service("two", "step"))
    start(home)

    assert seen == [["one"]]


def test_a_service_that_ends_at_once_says_why(home: Path, nodes: dict[str, Node]) -> None:
    broken = replace(service("broken", program="raise SystemExit('no such disk')"), ready=lambda _settings: False)
    add(nodes, broken, service("after", "broken"))

    with pytest.raises(ServiceFailedError, match=r"broken ended before it was ready[\s\S]*no such disk"):
        start(home)
    assert "after" not in find(home)


def test_a_service_that_never_gets_ready_is_given_up(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, replace(service("slow"), ready=lambda _settings: False, seconds=0.3))

    with pytest.raises(ServiceFailedError, match="slow was not ready after 0 s"):
        start(home)


def test_one_failure_ends_the_wait_for_the_others(home: Path, nodes: dict[str, Node]) -> None:
    broken = replace(service("broken", program="raise SystemExit(1)"), ready=lambda _settings: False)
    add(nodes, replace(service("slow"), ready=lambda _settings: False, seconds=3600), broken)

    with pytest.raises(ServiceFailedError, match="broken"):
        start(home)


def test_a_taken_port_is_named_with_its_holder_and_the_remedy(
    home: Path, nodes: dict[str, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(nodes, replace(service("kafka"), ports=("kafka",)))
    with socket.create_server(("127.0.0.1", 0)) as holder:
        monkeypatch.setenv("RIVERMEET_PORTS__KAFKA", str(holder.getsockname()[1]))
        with pytest.raises(PortTakenError, match=rf"\(pid {os.getpid()}\): .*RIVERMEET_PORTS__KAFKA"):
            start(home)


def test_an_unknown_service_is_refused_with_the_known_ones(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, service("one"))

    with pytest.raises(UnknownServiceError, match="'tow'; there are one"):
        start(home, "tow")


def test_programs_are_forked_kept_and_repaired_as_other_services_are(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, *(program(name) for name in ("one", "two")))
    first = start(home)
    before = pids(home)
    kept = start(home)
    os.kill(before["one"], signal.SIGKILL)
    repaired = start(home)

    assert (first.started, kept.started, repaired.started) == (["one", "two"], [], ["one"])
    assert pids(home)["two"] == before["two"]
    assert set(find(home)) == {"one", "two"}


def test_what_a_killed_start_would_still_have_forked_is_not_forked(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, program("one"))
    home.mkdir()
    with closing(ForkServer(home)) as forks:
        forks.load(())
        left = leader(home, FORK_SERVER)
        start(home)

        assert left is not None
        assert has_ended(left)
        assert set(find(home)) == {"one"}


def test_two_stacks_do_not_touch_each_other(home: Path, nodes: dict[str, Node], tmp_path: Path) -> None:
    add(nodes, service("one"))
    other = tmp_path / "other"
    start(home)
    start(other)

    assert down(other) == ["one"]
    assert list(find(home)) == ["one"]


def test_down_leaves_no_process_and_keeps_the_data(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, service("one"))
    start(home)

    assert down(home) == ["one"]
    assert find(home) == {}
    assert (home / "stack.json").exists()


def test_down_with_wipe_removes_the_folder(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, service("one"))
    start(home)
    down(home, wipe=True)

    assert not home.exists()


def test_processes_are_ended_even_if_the_folder_is_gone(home: Path, nodes: dict[str, Node]) -> None:
    add(nodes, service("one"))
    start(home)
    for path in sorted(home.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    home.rmdir()

    assert down(home) == ["one"]
