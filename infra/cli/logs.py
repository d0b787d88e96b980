"""``rivermeet logs``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from infra.cli._errors import CommandError


def command(
    service: Annotated[str, typer.Argument(help="Name of the service, as `rivermeet status` shows it.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
) -> None:
    """Show what a service has written.

    Example: [bold]rivermeet logs worker -f[/]
    """
    from infra.settings import load_settings
    from infra.stack.processes import log_path, log_tail
    from infra.stack.status import follow_log, known

    home = load_settings().home
    if service not in known():
        raise CommandError(f"there is no service named {service!r}; there are {', '.join(known())}")
    if not log_path(home, service).exists():
        raise CommandError(f"{service} has never been started here: `rivermeet up {service}`")
    sys.stdout.write(log_tail(home, service, lines) + "\n")
    if follow:
        for text in follow_log(log_path(home, service)):
            sys.stdout.write(text)
            sys.stdout.flush()
