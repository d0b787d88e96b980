"""Settings come from the environment, then from the running stack, then from defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.settings import load_settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    record = {"kafka": {"bootstrap": "stack:1"}, "clickhouse": {"password": "w", "analyst": {"password": "a"}}}
    (tmp_path / "stack.json").write_text(json.dumps(record))
    return tmp_path


def test_without_a_stack_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)

    assert (settings.kafka.bootstrap, settings.horizon_days) == ("127.0.0.1:9092", 7)


def test_a_running_stack_tells_its_addresses(home: Path) -> None:
    assert load_settings(home).kafka.bootstrap == "stack:1"


def test_the_environment_wins_name_by_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERMEET_CLICKHOUSE__HOST", "clickhouse.example")
    settings = load_settings(home)

    assert settings.clickhouse.host == "clickhouse.example"
    assert settings.clickhouse.password.get_secret_value() == "w"


def test_the_folder_comes_from_the_environment_unless_it_is_given(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERMEET_HOME", str(home / "other"))

    assert load_settings().home == home / "other"
    assert load_settings(home).home == home
    assert load_settings(home).lake.warehouse == str(home / "lake" / "warehouse")


def test_each_role_has_its_login(home: Path) -> None:
    clickhouse = load_settings(home).clickhouse

    assert [clickhouse.login(role).user for role in ("writer", "analyst", "admin")] == ["writer", "analyst", "admin"]
    assert clickhouse.login("analyst").password.get_secret_value() == "a"


def test_secrets_are_not_shown(home: Path) -> None:
    settings = load_settings(home).model_copy()

    assert "'w'" not in repr(settings)


def test_a_misspelt_nested_setting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERMEET_KAFKA__BOOTSTARP", "x:1")

    with pytest.raises(ValidationError, match="bootstarp"):
        load_settings(tmp_path)


def test_kafka_logs_in_only_where_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sasl.username" not in load_settings(tmp_path).kafka.client_config()

    monkeypatch.setenv("RIVERMEET_KAFKA__SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("RIVERMEET_KAFKA__USER", "someone")
    assert load_settings(tmp_path).kafka.client_config()["sasl.username"] == "someone"
