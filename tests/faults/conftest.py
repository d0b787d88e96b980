"""The servers of the suite, a stage for each fault, and a line about each in the file of `--faults-report`."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.faults.forms import LONG, SHORT
from tests.faults.servers import Servers
from tests.faults.stage import Report, Run, Stage, stage

OpenStage = Callable[..., AbstractContextManager[Stage]]
SEED = 20_261


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--faults-long", action="store_true", help="run the long forms of the fault suite")
    group.addoption("--faults-report", type=Path, help="append a line of JSON about each fault to this file")


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Servers of this folder's own, since they are killed; short forms, unless the long ones are asked for."""
    form = LONG if request.config.getoption("--faults-long", default=False) else SHORT
    with tempfile.TemporaryDirectory(prefix="rivermeet-faults-", ignore_cleanup_errors=True) as folder:
        servers = Servers(Path(folder) / "home")
        try:
            servers.start()
            yield Run(servers, form, time.time_ns() // 1_000_000)
        finally:
            servers.stop()


@pytest.fixture
def open_stage(request: pytest.FixtureRequest, tmp_path: Path, run: Run) -> OpenStage:
    """Opens stages for the fault that the test is named for: `test_f4_zombie` is F4-zombie."""
    if request.node.get_closest_marker("long_form") and not run.form.long:
        pytest.skip("only in the long form: rivermeet faults --long")
    found = re.match(r"test_(f\d+)_(.*)", request.node.name)
    assert found is not None, "name the test for its fault"
    fault = f"{found.group(1).upper()}-{re.sub(r'[^a-z0-9_]', '', found.group(2).replace('[', '_').lower())}"

    @contextmanager
    def opened(seed: int = SEED) -> Iterator[Stage]:
        report = Report(fault, run.form.name, seed)
        try:
            with stage(run, tmp_path / "stage", report) as one:
                yield one
        finally:
            if path := request.config.getoption("--faults-report", default=None):
                with Path(path).open("a") as out:
                    out.write(json.dumps(report.document()) + "\n")

    return opened
