"""Workers of the speed layer as processes, each behind a proxy of its own to the store."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil

from infra.bench.running import resident
from infra.settings import Settings
from tests.faults.proxy import Proxy
from tests.faults.worker import run
from tests.support.forked import Forked, Process, Spawned
from tests.support.waiting import until

END_SECONDS = 30.0
"""A worker that is asked to end has ended by then, whatever hangs."""


class Worker:
    """One worker: `python -m streams`, or with `given` the test's own start of it (`tests.faults.worker.run`)."""

    def __init__(self, name: str, home: Path, settings: Settings, given: dict[str, Any] | None) -> None:
        self.name, self.home, self._settings, self._given = name, home, settings, given
        self.home.mkdir(parents=True)
        self.variables: dict[str, str] = {}
        """Settings of its own."""
        self.proxy = Proxy(settings.clickhouse.host, settings.clickhouse.port)
        self.process: Process | None = None
        self.starts = 0
        self._killed: set[int] = set()

    def start(self) -> None:
        """Start the process; it joins the group by itself."""
        if self._given is None:
            self.process = Spawned("streams", self._environment(), self._log)
        else:
            self.process = Forked(run, self._given, self._environment(), self._log)
        self.starts += 1

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to a living process."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(END_SECONDS)

    def kill_sender(self, pause: float) -> None:
        """End what sends its rows to topics as a crash would, with all that it was given in so many seconds."""
        sender = until(self._senders, "the process that sends its rows")[0]
        sender.suspend()
        time.sleep(pause)
        sender.kill()
        self._killed.add(sender.pid)

    def _senders(self) -> list[psutil.Process]:
        """Those that were not killed here: what was is there until the worker looks for it."""
        assert self.process is not None
        found = [child for child in psutil.Process(self.process.pid).children() if child.pid not in self._killed]
        return [child for child in found if "streams.sender" in child.cmdline()]

    def terminate(self) -> int:
        """Ask it to end, and answer its exit code; fails if it does not end in time."""
        self.signal(signal.SIGTERM)
        assert self.process is not None
        return self.process.wait(END_SECONDS)

    @property
    def alive(self) -> bool:
        """Whether the process runs, or is paused."""
        return self.process is not None and self.process.poll() is None

    def close(self) -> None:
        """End it whatever its state."""
        if self.alive:
            self.signal(signal.SIGCONT)
            self.kill()
        self.proxy.close()

    def status(self) -> dict[str, Any]:
        """What it last said of itself; empty before that."""
        try:
            status: dict[str, Any] = json.loads((self.home / "run" / "worker.json").read_text())
        except FileNotFoundError:
            return {}
        return status if self.process is not None and status.get("pid") == self.process.pid else {}

    def holds(self) -> int:
        """How many partitions it reads."""
        return len(self.status().get("partitions", ()))

    def resident(self) -> tuple[int, int]:
        """Bytes of memory, with the processes it has started, and open files; (0, 0) if it does not run."""
        if self.process is None or self.process.poll() is not None:
            return 0, 0
        try:
            process = psutil.Process(self.process.pid)
            return resident(process), process.num_fds()
        except psutil.Error:
            return 0, 0

    def last_words(self, lines: int = 12) -> str:
        """The end of its log."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    @property
    def _log(self) -> Path:
        return self.home / "worker.log"

    def _environment(self) -> dict[str, str]:
        store = self._settings.clickhouse
        return self.variables | {
            "RIVERMEET_HOME": str(self.home),
            "RIVERMEET_KAFKA__BOOTSTRAP": self._settings.kafka.bootstrap,
            "RIVERMEET_REGISTRY__URL": self._settings.registry.url,
            "RIVERMEET_CLICKHOUSE__HOST": "127.0.0.1",
            "RIVERMEET_CLICKHOUSE__PORT": str(self.proxy.port),
            "RIVERMEET_CLICKHOUSE__DATABASE": store.database,
            "RIVERMEET_CLICKHOUSE__PASSWORD": store.password.get_secret_value(),
        }
