"""A module that is imported later runs when it is first used, once, and is whole from then on."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batch.later import import_later

NAMES = ("heavy_for_later", "heavy_for_later.part")


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that writes a line whenever it runs, and its file of lines."""
    package, lines = tmp_path / NAMES[0], tmp_path / "ran"
    package.mkdir()
    lines.touch()
    (package / "__init__.py").write_text(f"open({str(lines)!r}, 'a').write('x')\nanswer = 42\n")
    (package / "part.py").write_text("other = 43\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield lines
    for name in NAMES:
        sys.modules.pop(name, None)


def test_it_runs_at_its_first_use(ran: Path) -> None:
    import_later(NAMES[0])
    found = importlib.import_module(NAMES[0])
    assert ran.read_text() == ""
    assert (found.answer, found.answer, ran.read_text()) == (42, 42, "x")
    with pytest.raises(AttributeError):
        _ = found.nothing
    assert importlib.import_module(NAMES[1]).other == 43
    assert (importlib.import_module(NAMES[0]), ran.read_text()) == (found, "x")


def test_what_is_imported_already_or_not_there_is_left_alone(ran: Path) -> None:
    found = importlib.import_module(NAMES[0])
    import_later(NAMES[0])
    assert (sys.modules[NAMES[0]], ran.read_text()) == (found, "x")
    import_later("not_there_at_all")
    assert "not_there_at_all" not in sys.modules
