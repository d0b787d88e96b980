"""The record of a stack: chosen once, kept, private."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.settings import load_settings
from infra.stack.errors import ForeignAddressError
from infra.stack.state import exclusive, open_state


def test_ports_are_picked_once_and_kept(tmp_path: Path) -> None:
    first, second = open_state(tmp_path).ports, open_state(tmp_path).ports

    assert first == second
    assert all(first.model_dump().values())
    assert len(set(first.model_dump().values())) == len(first.model_dump())


def test_a_port_of_the_environment_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERMEET_PORTS__KAFKA", "19092")
    open_state(tmp_path)
    monkeypatch.setenv("RIVERMEET_PORTS__KAFKA", "0")

    assert open_state(tmp_path).kafka.bootstrap == "127.0.0.1:19092"


def test_passwords_are_generated_once_and_differ(tmp_path: Path) -> None:
    def passwords() -> list[str]:
        s = open_state(tmp_path)
        secrets = [s.clickhouse.login(role).password for role in ("writer", "analyst", "admin")]
        return [secret.get_secret_value() for secret in (*secrets, s.cassandra.password, s.airflow.password)]

    first = passwords()
    assert passwords() == first
    assert len(set(first)) == 5
    assert all(len(password) >= 32 for password in first)


def test_nobody_else_can_read_the_record(tmp_path: Path) -> None:
    home = tmp_path / "home"
    open_state(home)

    assert (home / "stack.json").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / ".gitignore").read_text() == "*\n"


def test_other_programs_read_what_was_recorded(tmp_path: Path) -> None:
    ports = open_state(tmp_path).ports

    assert load_settings(tmp_path).clickhouse.port == ports.clickhouse


def test_a_local_stack_refuses_to_lead_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERMEET_KAFKA__BOOTSTRAP", "kafka.example:9092")

    with pytest.raises(ForeignAddressError, match="RIVERMEET_KAFKA__BOOTSTRAP"):
        open_state(tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_one_command_at_a_time_changes_a_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.stack.state.LOCK_SECONDS", 0.2)
    with exclusive(tmp_path), pytest.raises(TimeoutError, match="another process"), exclusive(tmp_path):
        pass
    with exclusive(tmp_path):
        pass
