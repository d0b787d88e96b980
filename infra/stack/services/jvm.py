"""What the servers on Java have in common."""

from __future__ import annotations

from pathlib import Path

from infra.jars import Bundle
from infra.java import java


def jvm(heap: str, *options: str) -> tuple[str, ...]:
    """Java with a small heap, and a collector and a compiler that do not compete for two cores.

    The second compiler is left out: it takes half the time of a start, and for Kafka has not paid off after 1.5 million
    records.
    """
    small = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")
    return (str(java()), f"-Xmx{heap}", *small, *options)


def classpath(bundle: Bundle, cache: Path) -> tuple[str, str]:
    """The option that names all jars of a bundle."""
    return "-cp", f"{bundle.folder(cache)}/*"


def write_properties(path: Path, values: dict[str, object]) -> None:
    """Write a Java properties file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
