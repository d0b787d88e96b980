"""What commands print: results on standard output, for people or as JSON, and everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

output = Console(highlight=False)
notes = Console(stderr=True, highlight=False)
_ANY_WIDTH = 100_000

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead, for scripts.")]


def print_json(document: Any) -> None:
    """One JSON document on standard output; times and paths as text."""
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table for people; cells are shown as they are, and folded only where a terminal is too narrow."""
    console = output if output.is_terminal else Console(highlight=False, width=_ANY_WIDTH)
    console.print(_table(columns, rows))


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table for people, or row after row with a line for each column, where a table is wider than the terminal."""
    table = _table(columns, rows)
    if Measurement.get(output, output.options.update(width=_ANY_WIDTH), table).maximum <= output.width:
        output.print(table)
        return
    for number, row in enumerate(rows, 1):
        print_table((f"row {number}", ""), list(zip(columns, row, strict=True)))
        output.print()
    if not rows:
        output.print(f"no rows of {', '.join(columns)}")


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("[", "\\[")


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """Shows that something goes on, live on a terminal, in plain lines elsewhere; gives a function to report with."""
    if not notes.is_terminal:
        yield lambda line: notes.print(line, markup=False)
        return
    with notes.status(what) as status:

        def report(line: str) -> None:
            notes.print(line, markup=False, style="dim")
            status.update(f"{what}: {line}")

        yield report
