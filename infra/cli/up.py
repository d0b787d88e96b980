"""``rivermeet up``."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli._output import Json, notes, print_json, progress


def command(
    services: Annotated[
        list[str] | None, typer.Argument(help="Only these, and what they need. All by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Start the local stack, or what is missing of it, and wait until all of it is ready.

    Running it again changes nothing, or repairs what has died.

    Example: [bold]rivermeet up[/] or [bold]rivermeet up kafka registry[/]
    """
    from infra.settings import load_settings
    from infra.stack.run import up

    settings = load_settings()
    with progress("starting") as report:
        outcome = up(settings.home, services or [], report)
    if json:
        print_json({"started": outcome.started, "kept": outcome.kept, "seconds": round(outcome.seconds, 1)})
        return
    settings = load_settings(settings.home)
    what = ", ".join(outcome.started) if outcome.started else "nothing: all of it runs already"
    notes.print(f"[bold green]up[/] in {outcome.seconds:.1f} s; started {what}")
    if "api" in {*outcome.started, *outcome.kept}:
        notes.print(f"dashboard and API: http://{settings.api.host}:{settings.api.port}")
    notes.print("more: [bold]rivermeet status[/]")
