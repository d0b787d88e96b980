"""Our own programs: the speed layer's worker and the HTTP API with the dashboard."""

from __future__ import annotations

import sys

from infra.settings import Settings
from infra.stack.plan import Command, Service
from infra.stack.probes import get
from infra.stack.processes import leader

STORES = ("topics", "schemas", "tables")


def _worker_ready(settings: Settings) -> bool:
    """Ready once it reads: it then leaves its number in a file, and one that was killed leaves another's."""
    file = settings.home / "run" / "worker.ready"
    process = leader(settings.home, "worker")
    return process is not None and file.exists() and file.read_text().strip() == str(process.pid)


def _module(name: str) -> Command:
    return Command((sys.executable, "-m", name))


WORKER = Service("worker", lambda _settings: _module("streams"), _worker_ready, needs=STORES, memory=500)
API = Service(
    "api",
    lambda _settings: _module("serving.api"),
    lambda settings: get(settings.ports.api, "/healthz") is not None,
    ports=("api",),
    needs=STORES,
    memory=300,
)
