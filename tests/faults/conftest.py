"""The servers of the suite, a stage for each fault, and a line about each in the file of `RIVERMEET_FAULTS_REPORT`."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.faults.forms import LONG, SHORT, Form
from tests.faults.servers import Servers
from tests.faults.stage import Report, Stage, stage

OpenStage = Callable[..., AbstractContextManager[Stage]]
SEED = 20_261


@pytest.fixture(scope="session")
def form() -> Form:
    """Short, unless the run asks for the long forms."""
    return LONG if os.environ.get("RIVERMEET_FAULTS") == "long" else SHORT


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers of this folder's own, since they are killed."""
    with tempfile.TemporaryDirectory(prefix="rivermeet-faults-", ignore_cleanup_errors=True) as folder:
        started = Servers(Path(folder) / "home")
        try:
            started.start()
            yield started
        finally:
            started.stop()


@pytest.fixture(scope="session")
def now_ms() -> int:
    """When all seeded loads end: one for the run, so that equal seeds give equal answers (I8)."""
    return time.time_ns() // 1_000_000


@pytest.fixture(scope="session")
def digests() -> dict[tuple[int, int], tuple[str, str]]:
    """(seed, records) of the plain load -> the first fault that sent it, and the digest of its answers."""
    return {}


@pytest.fixture
def open_stage(request: pytest.FixtureRequest, tmp_path: Path, servers: Servers, form: Form, now_ms: int) -> OpenStage:
    """Opens stages for the fault that the test is named for: `test_f4_zombie` is F4-zombie."""
    found = re.match(r"test_(f\d+)_(.*)", request.node.name)
    assert found is not None, "name the test for its fault"
    fault = f"{found.group(1).upper()}-{re.sub(r'[^a-z0-9_]', '', found.group(2).replace('[', '_').lower())}"

    @contextmanager
    def opened(seed: int = SEED) -> Iterator[Stage]:
        report = Report(fault, form.name, seed)
        with stage(servers, tmp_path / f"stage-{time.monotonic_ns()}", form, report, now_ms) as one:
            yield one
        _tell(report)

    return opened


def _tell(report: Report) -> None:
    line = json.dumps(report.document())
    if path := os.environ.get("RIVERMEET_FAULTS_REPORT"):
        with Path(path).open("a") as out:
            out.write(line + "\n")
