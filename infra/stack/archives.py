"""Archives of the classes that Java's servers load: made once per cache, they halve the time of each start.

Java reads, checks and links some 10,000 classes at every start of a server. An archive holds them as they are
afterwards; a Java or jars that differ from those it was made with ignore it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from infra.jars import CASSANDRA, KAFKA, LOCK_SECONDS, REGISTRY, Bundle, Report, locked
from infra.java import dump_command
from infra.settings import Settings
from infra.stack import processes
from infra.stack.errors import StackError
from infra.stack.plan import Command, Node, Program, Service
from infra.stack.run import down, with_needs
from infra.stack.services.jvm import class_archive, java_archive
from infra.stack.start import Start
from infra.stack.state import open_brief_state

SECONDS = 120
SERVERS = {"kafka": KAFKA, "registry": REGISTRY, "cassandra": CASSANDRA}
WORK = ("topics", "schemas", "keyspace")
"""What the servers do while it is recorded which classes they load."""


def write_archives(cache: Path, report: Report) -> bool:
    """Make the archives that ``cache`` lacks; answers whether all are there.

    Servers run without them, only slower to start; so a machine on which they cannot be made is told, and no more.
    """
    folder = java_archive(cache).parent
    with locked(folder / "lock", LOCK_SECONDS):
        if not _missing(cache):
            return True
        report("keeping the classes of Java's servers for quick starts")
        try:
            with _draft_folder(folder / "draft") as draft:
                _write_base(java_archive(cache), draft)
                _record(cache, draft, report)
        except (StackError, subprocess.SubprocessError) as error:
            report(str(error))
        lacking = ", ".join(_missing(cache))
    report(f"the classes of {lacking} could not be kept: each start takes longer" if lacking else "kept")
    return not lacking


@contextmanager
def _draft_folder(path: Path) -> Iterator[Path]:
    """An empty folder, without what runs there: somebody may have been killed in the middle of this before."""
    down(path, wipe=True)
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        down(path, wipe=True)


def _missing(cache: Path) -> dict[str, Bundle]:
    return {name: bundle for name, bundle in SERVERS.items() if not class_archive(bundle, cache).exists()}


def _write_base(base: Path, draft: Path) -> None:
    if base.exists():
        return
    target = draft / base.name
    subprocess.run(dump_command(target), capture_output=True, timeout=SECONDS, check=True)
    target.rename(base)


def _record(cache: Path, draft: Path, report: Report) -> None:
    """Run the servers on a state that is thrown away. Java writes what it has loaded when it ends."""
    settings = open_brief_state(draft).model_copy(update={"cache": cache})
    missing = _missing(cache)
    nodes = {
        name: _recording(node, draft, cache) if name in missing else node for name, node in with_needs(WORK).items()
    }
    try:
        Start(settings, nodes, {}, report).run()
    finally:
        processes.end(draft, None, SECONDS)
    for name, bundle in missing.items():
        if (written := _draft(draft, name)).exists():
            written.rename(class_archive(bundle, cache))


def _draft(folder: Path, server: str) -> Path:
    return folder / f"{server}.jsa"


def _recording(node: Node, draft: Path, cache: Path) -> Node:
    if not isinstance(node, Service) or isinstance(node.command, Program):
        return node
    options = (f"-XX:SharedArchiveFile={java_archive(cache)}", f"-XX:ArchiveClassesAtExit={_draft(draft, node.name)}")
    return replace(node, command=_with_options(node.command, options))


def _with_options(command: Callable[[Settings], Command], options: tuple[str, ...]) -> Callable[[Settings], Command]:
    def changed(settings: Settings) -> Command:
        plain = command(settings)
        program, *rest = plain.argv
        return Command((program, *options, *rest), plain.env)

    return changed
