"""What may befall the lake: a full disk, a bit that turns, a process that is killed while it writes."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batch.lake import LakeConfig
from infra.settings import ROOT
from tests.batch.logs import TestTopic

TOO_SMALL = 128 * 1024
"""Bytes of a file: room for a catalog and its metadata, and none for the data of some thousand events."""


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond `TOO_SMALL`, which the system reports as it does a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (TOO_SMALL, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def rot(file: Path, at: int) -> None:
    """Turns one bit."""
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def work_until_killed(lake: LakeConfig, log: TestTopic, results: str, what: str, at: int) -> int:
    """Lands, or computes a day, in a process that is killed before it closes its n-th file; answers how it ended."""
    asked = [lake.catalog_uri, lake.warehouse_uri, log.bootstrap, log.name, results, what, str(at)]
    return subprocess.run(
        [sys.executable, "-m", "tests.batch.mortal", *asked], cwd=ROOT, timeout=120, check=False
    ).returncode
