"""What the servers on Java have in common."""

from __future__ import annotations

from pathlib import Path

from infra.jars import Bundle
from infra.java import java

# Less time for the compiler: a server that has little to do is ready with half the work. Not for Kafka, which has much.
QUICK_START = "-XX:TieredStopAtLevel=1"


def jvm(heap: str, *options: str) -> tuple[str, ...]:
    """Java with a small heap, and a collector that does not compete for two cores."""
    return (str(java()), f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", *options)


def classpath(bundle: Bundle, cache: Path) -> tuple[str, str]:
    """The option that names all jars of a bundle."""
    return "-cp", f"{bundle.folder(cache)}/*"


def write_properties(path: Path, values: dict[str, object]) -> None:
    """Write a Java properties file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
