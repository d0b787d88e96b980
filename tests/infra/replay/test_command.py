"""``rivermeet replay`` into a real Kafka."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.cli import build
from tests.infra.replay.test_jsonl import EVENT, ORDER
from tests.support.stack import RunStack


@pytest.fixture
def home(run_stack: RunStack, monkeypatch: pytest.MonkeyPatch) -> RunStack:
    run_stack.server("topics", "schemas")
    monkeypatch.setenv("RIVERMEET_HOME", str(run_stack.home))
    return run_stack


def replay(path: Path, *options: str) -> Result:
    return CliRunner().invoke(build(), ["replay", str(path), *options])


@pytest.mark.servers
def test_what_can_be_read_is_sent_and_the_rest_is_told(home: RunStack, tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl.gz"
    lines = [json.dumps(EVENT), "{", json.dumps(ORDER), json.dumps(EVENT)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    options = ("--format", "jsonl", "--limit", "2", "--shift-to", "2026-03-01", "--rate", "1000")
    done = replay(path, *options, "--json")
    assert done.exit_code == 4, done.output
    document = json.loads(done.stdout)
    assert (document["records"], document["first_day"], document["unreadable"]) == (2, "2026-03-01", 1)
    assert document["rows"][0]["line"] == 2
    assert "line 2: Expecting property name" in done.stderr


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--format", "rees46", "--topic", "transactions"), 2),
        (("--format", "csv"), 2),
        ((), 2),
        (("--format", "rees46"), 1),
    ],
)
def test_what_cannot_work_is_told(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    assert replay(path, *options).exit_code == code
