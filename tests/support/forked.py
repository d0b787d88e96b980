"""Processes forked from one that has loaded the worker's modules: a start costs a tenth of a second instead of four."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Protocol

from infra.settings import ROOT

Target = Callable[[dict[str, Any]], None]


class Process(Protocol):
    """A process of ours: both kinds below."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Its exit code, None while it lives."""

    def wait(self, seconds: float) -> int:
        """Its exit code; raises TimeoutError while it lives."""


class Spawned:
    """A program of its own, as the stack starts it."""

    def __init__(self, module: str, environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                (sys.executable, "-m", module), cwd=ROOT, env=os.environ | environment, stdout=out, stderr=out
            )
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """See `Process`."""
        return self._process.poll()

    def wait(self, seconds: float) -> int:
        """See `Process`."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"process {self.pid} still lives after {seconds:.0f} s") from error


class Forked:
    """A process that runs a function in a copy of the server below."""

    def __init__(self, target: Target, given: dict[str, Any], environment: Mapping[str, str], log: Path) -> None:
        arguments = (target, given, dict(environment), str(log))
        self._process = _context().Process(target=_enter, args=arguments, daemon=True)
        self._process.start()
        self.pid = int(self._process.pid or 0)

    def poll(self) -> int | None:
        """See `Process`."""
        return self._process.exitcode

    def wait(self, seconds: float) -> int:
        """See `Process`."""
        self._process.join(seconds)
        code = self._process.exitcode
        if code is None:
            raise TimeoutError(f"process {self.pid} still lives after {seconds:.0f} s")
        return code


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "tests.faults.worker"])
    return context


def _enter(target: Target, given: dict[str, Any], environment: Mapping[str, str], log: str) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(environment)
    os.chdir(ROOT)
    target(given)
