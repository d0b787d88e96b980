"""``rivermeet fetch``."""

from __future__ import annotations

from infra.cli._output import notes, progress


def command() -> None:
    """Fetch the jars of Kafka, Cassandra, the registry and Spark's connectors into the cache folder.

    Needed once per machine; `up` does it by itself, but leaves out what only makes Spark and the servers start quicker.

    Example: [bold]rivermeet fetch[/]
    """
    from infra.jars import fetch
    from infra.settings import load_settings
    from infra.spark_archive import write_spark_archive
    from infra.stack.archives import write_archives

    cache = load_settings().cache
    with progress("fetching") as report:
        fetch(cache, report)
        write_spark_archive(report)
        write_archives(cache, report)
    notes.print(f"all jars are in {cache}")
