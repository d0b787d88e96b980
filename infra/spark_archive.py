"""The archive of the classes that Spark loads: made once per environment, it halves the time of each start."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.jars import LOCK_SECONDS, locked
from infra.java import dump_command
from infra.settings import JAVA_ARCHIVE, ROOT, SPARK_ARCHIVE, SPARK_JAVA_HOME

SECONDS = 300


def write_spark_archive(report: Callable[[str], None], folder: Path = SPARK_JAVA_HOME) -> bool:
    """Make the archives in ``folder`` unless they are there; answers whether they are.

    Spark runs without them, only slower to start; so a machine on which they cannot be made is told, and no more.
    """
    with locked(folder / "archive.lock", LOCK_SECONDS):
        if (folder / SPARK_ARCHIVE).exists():
            return True
        report("keeping the classes of Spark for quick starts")
        with tempfile.TemporaryDirectory(dir=folder) as draft:
            made = _make(folder / JAVA_ARCHIVE, Path(draft) / SPARK_ARCHIVE)
            if made:
                (Path(draft) / SPARK_ARCHIVE).rename(folder / SPARK_ARCHIVE)
    report("kept" if made else "Spark's classes could not be kept: it works, but each start takes longer")
    return made


def _make(base: Path, top: Path) -> bool:
    spark = (sys.executable, "-m", "batch.archive", str(base), str(top))
    try:
        for command in (dump_command(base), spark):
            subprocess.run(command, cwd=ROOT, capture_output=True, timeout=SECONDS, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    return top.exists()
