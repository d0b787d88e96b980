"""The servers of the fault suite, as processes that can be killed, paused and started again on the same state."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra import jars
from infra.settings import Settings
from infra.stack.plan import Program, Service
from infra.stack.prepare import register_schemas
from infra.stack.services.clickhouse import CLICKHOUSE
from infra.stack.services.kafka import KAFKA
from infra.stack.services.registry import REGISTRY
from infra.stack.state import open_state
from tests.support.waiting import until

READY_SECONDS = 90.0
STOP_SECONDS = 40.0
# Workers of the short forms notice a death sooner than brokers allow by default.
BROKER_OPTIONS = ("--override", "group.min.session.timeout.ms=1000")


class Server:
    """One server process; its port and its data stay the same over restarts."""

    def __init__(self, service: Service, settings: Settings, options: Sequence[str] = ()) -> None:
        self._service, self._settings, self._options = service, settings, tuple(options)
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start the process without waiting for it."""
        assert not isinstance(self._service.command, Program)
        command = self._service.command(self._settings)
        log = self._settings.home / f"{self._service.name}.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                (*command.argv, *self._options), env={**os.environ, **command.env}, stdout=out, stderr=out
            )

    def wait_ready(self) -> None:
        """Wait until the server answers."""
        until(lambda: self._service.ready(self._settings), f"{self._service.name} to be ready", READY_SECONDS)

    def start(self) -> None:
        """Start, and wait until it answers."""
        self.launch()
        self.wait_ready()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end; kill it where it does not."""
        self._end(signal.SIGTERM)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The process stands still while the block runs."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def pause(self, seconds: float) -> None:
        """Stand still for so long."""
        with self.paused():
            time.sleep(seconds)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._signal(signal.SIGCONT)
        self._signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Servers:
    """Broker, registry and store, with the settings that lead to them."""

    def __init__(self, home: Path) -> None:
        self.settings = open_state(home)
        jars.fetch(self.settings.cache, lambda _line: None)
        self.broker = Server(KAFKA, self.settings, BROKER_OPTIONS)
        self.registry = Server(REGISTRY, self.settings)
        self.store = Server(CLICKHOUSE, self.settings)

    def start(self) -> None:
        """Start all three at once."""
        for server in self._all():
            server.launch()
        for server in self._all():
            server.wait_ready()
        register_schemas(self.settings)

    def stop(self) -> None:
        """End all three."""
        for server in self._all():
            server.stop()

    def _all(self) -> tuple[Server, ...]:
        return self.registry, self.broker, self.store
