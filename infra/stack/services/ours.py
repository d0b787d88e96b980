"""Our own programs: the speed layer's worker, the copier for point reads, features, and the HTTP API."""

from __future__ import annotations

from infra.settings import Settings
from infra.stack.plan import Program, Service
from infra.stack.probes import get
from infra.stack.processes import leader

STORES = ("topics", "schemas", "tables")


def _reads(settings: Settings, name: str) -> bool:
    """Ready once it reads: it then leaves its number in a file, and one that was killed leaves another's."""
    file = settings.home / "run" / f"{name}.ready"
    process = leader(settings.home, name)
    return process is not None and file.exists() and file.read_text().strip() == str(process.pid)


def _main(package: str) -> Program:
    """What ``python -m package`` runs."""
    module = f"{package}.__main__"
    return Program(f"{module}:main", imports=(module,))


def _feature_store(command: str, module: str) -> Program:
    return Program("feature_store.cli:app", (command,), ("feature_store.cli", module))


WORKER = Service(
    "worker",
    _main("streams"),
    lambda settings: _reads(settings, "worker"),
    needs=STORES,
    memory=500,
)
POINTS = Service(
    "points",
    _main("serving.points"),
    lambda settings: _reads(settings, "points"),
    needs=("topics", "schemas", "keyspace"),
    memory=120,
)
FEATURES = Service(
    "features",
    _feature_store("serve", "feature_store.server"),
    lambda settings: get(settings.ports.features, "/health") is not None,
    ports=("features",),
    needs=("tables", "cassandra"),
    # It imports Feast and makes its tables first, which a busy machine takes its time for.
    seconds=240.0,
    memory=350,
)
FEATURE_PUSH = Service(
    "feature-push",
    _feature_store("push", "feature_store.pushing"),
    lambda settings: _reads(settings, "feature-push"),
    # The server brings registry and online tables to what the catalogue says.
    needs=("topics", "schemas", "features"),
    memory=300,
)
API = Service(
    "api",
    _main("serving.api"),
    lambda settings: get(settings.ports.api, "/healthz") is not None,
    ports=("api",),
    needs=STORES,
    memory=300,
)
