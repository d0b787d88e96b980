"""Apicurio Registry, spoken to through its Confluent API; its schemas and their ids lie in a database file."""

from __future__ import annotations

from infra import jars
from infra.settings import LOOPBACK, Settings
from infra.stack.plan import Command, Service
from infra.stack.probes import get
from infra.stack.services.jvm import jvm

HEAP = "256m"
PATH = "/apis/ccompat/v7"


def _command(settings: Settings) -> Command:
    folder = settings.home / "registry"
    folder.mkdir(parents=True, exist_ok=True)
    (program,) = jars.REGISTRY.folder(settings.cache).glob("*-runner.jar")
    options = {
        "quarkus.http.host": LOOPBACK,
        "quarkus.http.port": settings.ports.registry,
        "quarkus.datasource.jdbc.initial-size": 1,
        "quarkus.datasource.jdbc.min-size": 1,
        "quarkus.log.level": "WARN",
    }
    properties = (f"-D{name}={value}" for name, value in options.items())
    java = jvm(jars.REGISTRY, settings.cache, HEAP, *properties, "-jar", str(program))
    # In memory by default: then ids would be given anew at every start, and old records could not be decoded.
    return Command(java, {"REGISTRY_DATASOURCE_URL": f"jdbc:h2:file:{folder / 'schemas'}"})


def _ready(settings: Settings) -> bool:
    return get(settings.ports.registry, f"{PATH}/subjects") is not None


REGISTRY = Service("registry", _command, _ready, ports=("registry",), memory=250)
