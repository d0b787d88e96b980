"""The command line as a script sees it: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from infra.cli import _output, build, faults

COMMANDS = ["airflow", "doctor", "down", "faults", "fetch", "logs", "prepare", "sql", "status", "up"]
HEAVY = ["airflow", "cassandra", "chdb", "clickhouse_connect", "confluent_kafka", "faust", "feast", "pandas", "polars"]
HEAVY += ["pyarrow", "pydantic", "pyspark"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIVERMEET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = run(command, "--help")

    assert result.exit_code == 0
    assert f"Example: rivermeet {command}" in " ".join(result.output.split())


def test_help_loads_nothing_heavy() -> None:
    program = f"import sys; from infra.cli import build; build(); print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_wrong_usage_is_code_2() -> None:
    assert run("up", "--no-such-option").exit_code == 2


def test_status_tells_when_the_intake_is_stopped_and_why(home: Path) -> None:
    (home / "run").mkdir(parents=True)
    told = {"backpressure": True, "pending": {"records": 7}, "waiting_for": "ClickHouse [cannot] answer"}
    (home / "run" / "worker.json").write_text(json.dumps(told))

    shown = run("status").stderr

    assert "7 records wait" in shown
    assert "waits: ClickHouse [cannot] answer" in shown
    assert json.loads(run("status", "--json").stdout)["worker"] == told


def test_status_of_a_stack_that_does_not_run_is_code_3() -> None:
    result = run("status", "--json")

    assert result.exit_code == 3
    assert {service["state"] for service in json.loads(result.stdout)["services"]} == {"stopped"}


def test_down_where_nothing_runs_is_fine() -> None:
    result = run("down", "--json")

    assert (result.exit_code, json.loads(result.stdout)) == (0, {"ended": [], "wiped": False})


def test_an_expected_failure_is_a_sentence_on_standard_error() -> None:
    result = run("up", "no-such-service")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "there is no service named 'no-such-service'; there are" in " ".join(result.stderr.split())


def test_a_wrong_setting_is_named_as_the_environment_spells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERMEET_HORIZON_DAYS", "soon")
    result = run("status")

    assert result.exit_code == 1
    assert "setting RIVERMEET_HORIZON_DAYS:" in result.stderr


def test_logs_of_a_service_that_never_ran() -> None:
    result = run("logs", "kafka")

    assert result.exit_code == 1
    assert "rivermeet up kafka" in result.stderr


def test_logs_show_the_last_lines(home: Path) -> None:
    (home / "log").mkdir(parents=True)
    (home / "log" / "kafka.log").write_text("one\ntwo\nthree\n")

    assert run("logs", "kafka", "-n", "2").stdout == "two\nthree\n"


def test_a_question_without_a_stack_is_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RIVERMEET_CLICKHOUSE__PORT", str(unused.getsockname()[1]))
        result = run("sql", "SELECT 1")

    assert result.exit_code == 3
    assert "rivermeet up" in result.stderr


def test_airflow_without_a_stack_is_code_3(home: Path) -> None:
    assert run("airflow", "dags", "list").exit_code == 3
    assert not (home / "airflow").exists()


def test_doctor_names_a_taken_port_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        monkeypatch.setenv("RIVERMEET_PORTS__API", str(holder.getsockname()[1]))
        result = run("doctor", "--json")

    findings = {finding["check"]: finding for finding in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert not findings["port api"]["ok"]
    assert "RIVERMEET_PORTS__API" in findings["port api"]["detail"]


def test_doctor_sees_passwords_that_others_can_read(home: Path) -> None:
    home.mkdir()
    (home / "stack.json").write_text("{}")
    (home / "stack.json").chmod(0o644)

    findings = {finding["check"]: finding for finding in json.loads(run("doctor", "--json").stdout)}
    assert "chmod 600" in findings["state"]["detail"]


def test_rows_too_wide_for_the_terminal_are_shown_one_by_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_output, "output", Console(width=40, highlight=False))
    _output.print_rows(("a", "b"), [(1, "x"), (2, None)])
    _output.print_rows(("name", "meaning"), [("sessions", "Sessions that begin on that day")])
    _output.print_rows(("meaning" * 9,), [])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()][:8] == [
        "a  b",
        "1  x",
        "2",
        "row 1",
        "name     sessions",
        "meaning  Sessions that begin on that day",
        "",
        "no rows of",
    ]


def test_tables_are_not_folded_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _output.print_table(("name", "meaning"), [("sessions", "begins " * 30)])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_fault_is_one_line_whatever_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    line = dict.fromkeys(("records", "faults", "replayed", "recovery", "memory", "seconds", "seed"), 1)
    found = {"fault": "F1-kill", "result": "seen, I3:\n" + "want " * 50, "ok": True, "notes": {"a": "b" * 200}}
    faults._show([line | found])
    _, shown, told = capsys.readouterr().out.splitlines()
    assert shown.split()[:5] == ["F1-kill", "seen,", "I3:", "want", "want"]
    assert len(shown) < 300
    assert told == "all 1 passed (seed 1)"
