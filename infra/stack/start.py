"""One start of the stack: what runs is kept, the rest is launched, and everything is waited for."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing

import psutil

from infra.settings import Settings
from infra.stack import processes
from infra.stack.errors import ServiceFailedError
from infra.stack.forking import ForkServer
from infra.stack.plan import Node, Program, Service, Step

POLL_SECONDS = 0.1
GRACE_SECONDS = 35.0

Report = Callable[[str], None]


class _Abandoned(Exception):
    pass


class Start:
    """Brings nodes up side by side, a thread each, in the order of needs; ``started`` names what was not kept."""

    def __init__(
        self, settings: Settings, nodes: Mapping[str, Node], running: Mapping[str, psutil.Process], report: Report
    ) -> None:
        self._settings, self._nodes, self._running, self._report = settings, nodes, running, report
        self.started: set[str] = set()
        self._failed = threading.Event()
        self._done: dict[str, Future[None]] = {}
        self._forks = ForkServer(settings.home)

    def run(self) -> None:
        """Return when every node is ready. Raises the first error; what still waits then is given up."""
        with closing(self._forks), ThreadPoolExecutor(len(self._nodes)) as pool:
            if imports := self._imports():
                self._forks.load(imports)
            for name, node in self._nodes.items():
                self._done[name] = pool.submit(self._bring_up, node)
            try:
                wait(self._done.values())
            except BaseException:
                self._failed.set()
                raise
        errors = [error for future in self._done.values() if (error := future.exception()) is not None]
        for error in errors:
            if not isinstance(error, _Abandoned):
                raise error

    def _imports(self) -> list[str]:
        """The modules of the programs that do not run yet, each once."""
        new = [
            node.command
            for name, node in self._nodes.items()
            if isinstance(node, Service) and name not in self._running
        ]
        modules = (module for command in new if isinstance(command, Program) for module in command.imports)
        return list(dict.fromkeys(modules))

    def _bring_up(self, node: Node) -> None:
        if isinstance(node, Step):
            for module in node.modules:
                importlib.import_module(module)
        for need in node.needs:
            if self._done[need].exception() is not None:
                raise _Abandoned
        try:
            began = time.monotonic()
            self._start(node) if isinstance(node, Service) else node.run(self._settings)
            self._report(f"{node.name} ready in {time.monotonic() - began:.1f} s")
        except BaseException:
            self._failed.set()
            raise

    def _start(self, service: Service) -> None:
        kept = self._running.get(service.name)
        if kept is not None and self._gets_ready(service, kept):
            return
        self.started.add(service.name)
        if not self._gets_ready(service, self._launch(service)):
            raise self._failure(service, "ended before it was ready")

    def _launch(self, service: Service) -> psutil.Process:
        home = self._settings.home
        processes.end(home, [service.name], GRACE_SECONDS)
        if isinstance(service.command, Program):
            return self._forks.fork(service.name, service.command)
        command = service.command(self._settings)
        return processes.start(home, service.name, command.argv, {"RIVERMEET_HOME": str(home), **command.env})

    def _gets_ready(self, service: Service, process: psutil.Process) -> bool:
        """Wait until the service is ready; False if its process ends before."""
        deadline = time.monotonic() + service.seconds
        while not processes.has_ended(process):
            if service.ready(self._settings):
                return True
            if self._failed.is_set():
                raise _Abandoned
            if time.monotonic() > deadline:
                raise self._failure(service, f"was not ready after {service.seconds:.0f} s")
            time.sleep(POLL_SECONDS)
        return False

    def _failure(self, service: Service, reason: str) -> ServiceFailedError:
        return ServiceFailedError(service.name, reason, processes.log_tail(self._settings.home, service.name))
