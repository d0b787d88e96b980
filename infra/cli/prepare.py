"""``rivermeet prepare``."""

from __future__ import annotations

from infra.cli._output import notes, progress


def command() -> None:
    """Create topics, register schemas and migrate tables on the servers that the settings name.

    For an operator of servers that exist already; `up` does it by itself. Safe to repeat.

    Example: [bold]rivermeet prepare[/]
    """
    from infra.settings import load_settings
    from infra.stack.prepare import KEYSPACE, SCHEMAS, TABLES, TOPICS

    settings = load_settings()
    with progress("preparing") as report:
        for step in (TOPICS, SCHEMAS, TABLES, KEYSPACE):
            step.run(settings)
            report(f"{step.name} are there")
    notes.print("[bold green]prepared[/]")
