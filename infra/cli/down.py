"""``rivermeet down``."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli._output import Json, notes, print_json, progress


def command(
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Also delete the state folder: all data, all passwords.")
    ] = False,
    json: Json = False,
) -> None:
    """End every process of the local stack. Its data stays, unless asked otherwise.

    Example: [bold]rivermeet down[/] or [bold]rivermeet down --wipe[/]
    """
    from infra.settings import load_settings
    from infra.stack.run import down

    home = load_settings().home
    with progress("stopping"):
        ended = down(home, wipe=wipe)
    if json:
        print_json({"ended": ended, "wiped": wipe})
        return
    notes.print(f"ended {', '.join(ended)}" if ended else "nothing was running")
    if wipe:
        notes.print(f"removed {home}")
