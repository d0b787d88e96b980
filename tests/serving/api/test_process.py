"""``python -m serving.api``: settings from the stack's record, lines of JSON, and an end when asked."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.stack.state import free_port
from tests.support.clickhouse import ROOT, Endpoint

pytestmark = pytest.mark.servers
START_S, STOP_S = 60.0, 20.0


@pytest.fixture
def port(owner: Endpoint, tmp_path: Path) -> int:
    logins = {name: {"password": owner.users[name]} for name in ("analyst", "admin")}
    clickhouse = {"host": owner.host, "port": owner.port, "password": owner.users["writer"], **logins}
    chosen = free_port()
    record = {"clickhouse": clickhouse, "api": {"port": chosen, "key": "stack-key"}}
    (tmp_path / "stack.json").write_text(json.dumps(record))
    return chosen


@pytest.fixture
def process(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"RIVERMEET_HOME": str(tmp_path)}
    started = subprocess.Popen(
        [sys.executable, "-m", "serving.api"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait(STOP_S)
        if started.stdout:
            started.stdout.close()


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"X-API-Key": "stack-key", "X-Request-ID": "mine"})
        return connection.getresponse().status
    finally:
        connection.close()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            assert get(port, "/healthz") == 200
        except OSError:
            assert time.monotonic() < deadline, "the API did not start"
            time.sleep(0.2)
        else:
            return


def test_it_serves_logs_and_ends(process: subprocess.Popen[str], port: int) -> None:
    wait_for(port)
    assert get(port, "/readyz") == 200
    assert get(port, "/v1/status") == 200
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=STOP_S)
    assert process.returncode in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in output.splitlines()]
    (asked,) = [line for line in lines if line.get("path") == "/v1/status"]
    assert (asked["request_id"], asked["status"], asked["key_id"], asked["method"]) == ("mine", 200, "stack", "GET")
    assert "stack-key" not in output
