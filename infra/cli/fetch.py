"""``rivermeet fetch``."""

from __future__ import annotations

from infra.cli._output import notes, progress


def command() -> None:
    """Fetch the jars of Kafka, Cassandra, the registry and Spark's connectors into the cache folder.

    Needed once per machine; `up` does it by itself.

    Example: [bold]rivermeet fetch[/]
    """
    from infra.jars import fetch
    from infra.settings import load_settings

    cache = load_settings().cache
    with progress("fetching") as report:
        fetch(cache, report)
    notes.print(f"all jars are in {cache}")
