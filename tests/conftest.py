"""Fixtures of the whole test run: servers start when the first test asks for them, and end with the run."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from infra.settings import ROOT, Cassandra, ClickHouse
from tests.infra.replay.facts import REES46_FILE, RETAIL_FILE, Rees46Facts, RetailFacts, rees46_facts, retail_facts
from tests.merge.store import Store, opened
from tests.support.stack import RunStack, clear_settings, free_port_environment

# What tests import stays: looking for garbage in it, again and again, is a third of what the imports cost.
gc.disable()

# Where a merge hangs on it the drawn examples are the same each time; at a desk they are new ones.
settings.register_profile("rivermeet", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("rivermeet")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave drawn examples and whole data sets out of the coverage, and let several processes begin with what is long.

    Examples run the same lines thousands of times, and to be watched costs them two thirds more. What they alone reach
    counts as not covered, so the coverage is at least what is reported.
    """
    for item in () if config.getoption("no_cov", default=False) else items:
        if item.get_closest_marker("hypothesis") or item.get_closest_marker("real_data"):
            item.add_marker(pytest.mark.no_cover)
    if "PYTEST_XDIST_WORKER" in os.environ:
        slow = {item.path for item in items if item.get_closest_marker("servers")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None]:
    """Once all is imported, garbage is looked for again, but not among the modules."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Whole data sets are left out of the coverage when they are read, too; `no_cover` itself is for the test alone."""
    coverage = getattr(item.config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    if coverage is None or not item.get_closest_marker("real_data"):
        return (yield)
    coverage.pause()
    try:
        return (yield)
    finally:
        coverage.resume()


@pytest.fixture(scope="session", autouse=True)
def _own_settings() -> Iterator[None]:
    clear_settings()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in free_port_environment().items():
            patch.setenv(name, value)
        # Spark lives for minutes here: better code would be ready when it ends. Our servers never ask for it.
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
        yield


@pytest.fixture(scope="session")
def run_stack() -> Iterator[RunStack]:
    """The servers of this test run."""
    with tempfile.TemporaryDirectory(prefix="rivermeet-test-", ignore_cleanup_errors=True) as folder:
        stack = RunStack(Path(folder) / "home")
        try:
            yield stack
        finally:
            stack.stop()


@pytest.fixture(scope="session")
def kafka(run_stack: RunStack) -> str:
    """Bootstrap address of a real broker without topics; use topic names of your own."""
    return run_stack.server("kafka").kafka.bootstrap


@pytest.fixture(scope="session")
def registry_url(run_stack: RunStack) -> str:
    """Address of the Confluent API of a real schema registry; use subjects of your own."""
    return run_stack.server("registry").registry.url


@pytest.fixture(scope="session")
def cassandra(run_stack: RunStack) -> Cassandra:
    """Address and login of a real node; use keyspaces of your own."""
    return run_stack.server("cassandra").cassandra


@pytest.fixture(scope="session")
def clickhouse(run_stack: RunStack) -> ClickHouse:
    """Address and logins of a process that owns the engine; it holds no database of ours until a test makes one."""
    return run_stack.server("clickhouse").clickhouse


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; a test that asks for it is skipped where there is none."""
    folder = Path(os.environ.get("RIVERMEET_TEST_DATA") or ROOT.parent / "shared" / "data")
    missing = [name for name in (RETAIL_FILE, REES46_FILE) if not (folder / name).is_file()]
    if missing:
        pytest.skip(f"no real data sets here: set RIVERMEET_TEST_DATA to the folder with {' and '.join(missing)}")
    return folder


@pytest.fixture(scope="session")
def retail(real_data: Path) -> RetailFacts:
    """What is known of Online Retail, counted once a run."""
    return retail_facts(real_data)


@pytest.fixture(scope="session")
def rees46(real_data: Path) -> Rees46Facts:
    """What is known of the REES46 log, counted once a run."""
    return rees46_facts(real_data)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The ClickHouse engine in this process, with all tables and views; empty it before you fill it."""
    with opened(tmp_path_factory.mktemp("engine") / "store") as opened_store:
        yield opened_store
