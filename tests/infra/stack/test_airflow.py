"""Airflow on a free port: healthy, behind its generated password, and whole again after a part was killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.settings import load_settings
from infra.stack.processes import find
from infra.stack.run import down, up
from tests.support.stack import listening_addresses

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("airflow") / "home"
    try:
        up(folder, ["airflow"], lambda _line: None)
        yield folder
    finally:
        down(folder, wipe=True)


def log_in(home: Path, password: str) -> httpx.Response:
    airflow = load_settings(home).airflow
    credentials = {"username": airflow.user, "password": password}
    return httpx.post(f"http://{airflow.host}:{airflow.port}/auth/token", json=credentials, timeout=30)


def test_only_the_generated_password_opens_it(home: Path) -> None:
    password = load_settings(home).airflow.password.get_secret_value()

    assert log_in(home, "admin").status_code == 401
    assert log_in(home, password).status_code == 201


def test_it_knows_our_dags_and_no_examples(home: Path) -> None:
    airflow = load_settings(home).airflow
    token = log_in(home, airflow.password.get_secret_value()).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    found = httpx.get(f"http://{airflow.host}:{airflow.port}/api/v2/dags", headers=headers, timeout=30).json()

    assert not [dag for dag in found["dags"] if dag["dag_id"].startswith("example")]


def test_it_listens_on_loopback_alone(home: Path) -> None:
    assert listening_addresses(home) == {"127.0.0.1"}


def test_when_a_part_is_killed_all_are_started_anew(home: Path) -> None:
    leader = find(home)["airflow"].leader
    assert leader is not None
    before = {process.pid for process in find(home)["airflow"].members}
    leader.children()[0].send_signal(signal.SIGKILL)
    leader.wait(30)

    assert up(home, ["airflow"], lambda _line: None).started == ["airflow"]
    assert not before & {process.pid for process in find(home)["airflow"].members}
