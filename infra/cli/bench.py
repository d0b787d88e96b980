"""``rivermeet bench``: how fast the parts are on this machine, each measured on servers of its own."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from infra.cli._output import Json, output, print_json, progress

app = typer.Typer(help="Measure the parts on servers of their own.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure the parts on servers of their own; what runs already is left alone."""


@app.command()
def batch(
    events: Annotated[int, typer.Option(min=1_000, help="Events of the day.")] = 1_000_000,
    plain: Annotated[int, typer.Option(min=1_000, help="Events that the plain Spark job is given.")] = 300_000,
    full: Annotated[bool, typer.Option("--full", help="10 million events, and 1 million for the plain job.")] = False,
    as_json: Json = False,
) -> None:
    """A generated day through landing, recompute and publication, beside a plain Spark job."""
    from infra.bench.batch import measure

    sizes = (10_000_000, 1_000_000) if full else (events, plain)
    with tempfile.TemporaryDirectory(prefix="rivermeet-bench-") as folder, progress("measuring") as report:
        found = measure(Path(folder) / "home", *sizes, report)
    if as_json:
        print_json(found)
    else:
        output.print_json(json.dumps(found))
