"""``rivermeet doctor``."""

from __future__ import annotations

import typer

from infra.cli._errors import Code
from infra.cli._output import Json, print_json, print_table


def command(json: Json = False) -> None:
    """Look for everything that could keep the stack from running, and say how to put it right.

    Ends with exit code 1 if anything is wrong.

    Example: [bold]rivermeet doctor[/]
    """
    from infra.settings import load_settings
    from infra.stack.doctor import examine

    findings = examine(load_settings())
    if json:
        print_json([{"check": f.check, "ok": f.ok, "detail": f.detail} for f in findings])
    else:
        print_table(("check", "", "detail"), [(f.check, "ok" if f.ok else "PROBLEM", f.detail) for f in findings])
    if not all(finding.ok for finding in findings):
        raise typer.Exit(Code.FAILED)
