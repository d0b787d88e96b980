"""``rivermeet faults``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli._errors import Code, CommandError
from infra.cli._output import Json, notes, output, print_json, print_table, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SUITE = "tests/faults"
_WORDS = 60
"""Characters of a result, or of a note, that a table shows; the JSON document has more of them."""
COLUMNS = ("fault", "result", "records", "faults", "replayed", "recovery s", "memory MiB", "seconds", "notes")


class NoSuiteError(CommandError):
    """The fault suite is part of the source tree, which is not here."""

    def __init__(self, root: Path) -> None:
        super().__init__(f"there is no {SUITE} in {root}: run this in a checkout of the source, after `make install`")


def command(
    faults: Annotated[list[str] | None, typer.Argument(help="Such as F1 or F29; without any, all.")] = None,
    long: Annotated[bool, typer.Option("--long", help="The long forms: more records, kills and outages.")] = False,
    json: Json = False,
) -> None:
    """Break the broker, the store and the workers under load, and show that no record is lost or counted twice.

    Starts servers of its own on free ports and ends them; a running stack is not touched. Ends with exit code 1 if an
    invariant does not hold.

    Example: [bold]rivermeet faults F1 F4 --long[/]
    """
    from infra.settings import ROOT

    if not (ROOT / SUITE).is_dir():
        raise NoSuiteError(ROOT)
    with (
        tempfile.TemporaryDirectory(prefix="rivermeet-faults-report-") as folder,
        progress("breaking things") as report,
    ):
        lines = Path(folder) / "report.jsonl"
        code = _run(_arguments(faults or [], long, lines), ROOT, report)
        found = _read(lines)
    if not found:
        raise CommandError(f"no fault was run (pytest ended with {code}): see the lines above")
    if json:
        print_json(found)
    else:
        _show(found)
    if code:
        raise typer.Exit(Code.FAILED)


def _arguments(faults: Sequence[str], long: bool, lines: Path) -> list[str]:
    chosen = " or ".join(f"test_{fault.lower()}_" for fault in faults)
    options = ["--faults-long"] if long else []
    return [
        SUITE,
        "-v",
        "--no-header",
        "--tb=short",
        *(["-k", chosen] if chosen else []),
        *options,
        f"--faults-report={lines}",
    ]


def _run(arguments: Sequence[str], root: Path, report: Callable[[str], None]) -> int:
    """Run pytest and pass its lines on as they come; answers its exit code."""
    tests = (sys.executable, "-m", "pytest", *arguments)
    with subprocess.Popen(tests, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None  # noqa: S101 - asked for above
        for line in running.stdout:
            report(line.rstrip())
        return running.wait()


def _read(lines: Path) -> list[dict[str, Any]]:
    import json

    return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


def _show(found: Sequence[dict[str, Any]]) -> None:
    print_table(COLUMNS, [_row(line) for line in found])
    failed = [line["fault"] for line in found if not line["ok"]]
    if failed:
        notes.print(f"[bold red]failed:[/] {', '.join(failed)}")
    else:
        output.print(f"all {len(found)} passed (seed {found[0]['seed']})")


def _row(line: dict[str, Any]) -> tuple[object, ...]:
    names = ("fault", "result", "records", "faults", "replayed", "recovery", "memory", "seconds")
    told = "; ".join(f"{name}: {value}" for name, value in line["notes"].items())
    return (*(_words(line[name]) for name in names), _words(told))


def _words(value: object) -> str:
    """In one line, and no longer than a table has room for."""
    return " ".join(str(value).split())[:_WORDS]
