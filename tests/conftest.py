"""Fixtures of the whole test run: servers start when the first test asks for them, and end with the run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import RunStack, clear_settings, free_port_environment


@pytest.fixture(scope="session", autouse=True)
def _own_settings() -> Iterator[None]:
    clear_settings()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in free_port_environment().items():
            patch.setenv(name, value)
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
