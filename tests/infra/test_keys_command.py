"""``rivermeet keys``: what it prints, what it keeps, and that the API's side understands it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.cli import build
from serving.keys import find, parse


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RIVERMEET_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "api-keys.json"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["keys", *arguments])


def test_a_key_opens_until_it_is_revoked(file: Path) -> None:
    text = run("create", "--tenant", "acme").stdout.strip()
    now = datetime.now(UTC)
    key = find(parse(file.read_text()), text, now)
    assert key is not None
    assert (key.tenant, (key.expires_at or now) > now) == ("acme", True)

    assert run("revoke", key.key_id).exit_code == 0
    assert find(parse(file.read_text()), text, now) is None


def test_the_file_is_its_owners_and_holds_no_secret(file: Path) -> None:
    text = run("create", "--tenant", "*", "--days", "0").stdout.strip()
    assert file.stat().st_mode & 0o077 == 0
    assert text.rpartition("_")[2] not in file.read_text()


def test_scripts_read_json(file: Path) -> None:
    made = json.loads(run("create", "--tenant", "*", "--days", "0", "--json").stdout)
    (listed,) = json.loads(run("list", "--json").stdout)
    assert made.pop("key").startswith("rm_")
    assert listed == made
    assert (listed["tenant"], listed["state"], listed["expires_at"]) == ("*", "valid", None)


def test_errors_say_what_to_do(file: Path) -> None:
    unknown = run("revoke", "nobody")
    assert (unknown.exit_code, "rivermeet keys list" in unknown.output) == (1, True)
    assert run("create", "--tenant", " ").exit_code == 1
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{")
    broken = run("list")
    assert (broken.exit_code, "restore it" in " ".join(broken.output.split())) == (1, True)
