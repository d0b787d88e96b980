"""``rivermeet status``."""

from __future__ import annotations

import typer

from infra.cli._errors import Code
from infra.cli._output import Json, print_json, print_table


def command(json: Json = False) -> None:
    """Show every service: whether it is ready, its processes, its port and its memory.

    Ends with exit code 3 unless all of them are ready.

    Example: [bold]rivermeet status --json[/]
    """
    from infra.settings import load_settings
    from infra.stack.status import status

    services = status(load_settings())
    if json:
        print_json([service.document() for service in services])
    else:
        print_table(
            ("service", "state", "pid", "ports", "memory", "up"),
            [
                (s.name, s.state, s.pid, " ".join(str(port) for port in s.ports if port), s.memory_text, s.age_text)
                for s in services
            ],
        )
    if any(service.state != "ready" for service in services):
        raise typer.Exit(Code.NOT_RUNNING)
