"""Where Feast finds its stores: feature_store.yaml, filled in from Rivermeet's settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import yaml

from infra.settings import Settings

if TYPE_CHECKING:
    from feature_store.feast_import import FeatureStore, RepoConfig

FOLDER = Path(__file__).parent
FILE = FOLDER / "feature_store.yaml"


def environment(settings: Settings) -> dict[str, str]:
    """The variables that feature_store.yaml asks for."""
    clickhouse, cassandra = settings.clickhouse, settings.cassandra
    return {
        "FEATURES_REGISTRY": f"sqlite:///{registry_file(settings)}",
        "FEATURES_CLICKHOUSE_HOST": clickhouse.host,
        "FEATURES_CLICKHOUSE_PORT": str(clickhouse.port),
        "FEATURES_CLICKHOUSE_DATABASE": clickhouse.database,
        "FEATURES_CLICKHOUSE_USER": clickhouse.user,
        "FEATURES_CLICKHOUSE_PASSWORD": clickhouse.password.get_secret_value(),
        "FEATURES_CLICKHOUSE_SECURE": str(clickhouse.secure).lower(),
        "FEATURES_CASSANDRA_HOST": cassandra.host,
        "FEATURES_CASSANDRA_PORT": str(cassandra.port),
        "FEATURES_CASSANDRA_USER": cassandra.user,
        "FEATURES_CASSANDRA_PASSWORD": cassandra.password.get_secret_value(),
        "FEATURES_CASSANDRA_DATACENTER": cassandra.datacenter,
    }


def registry_file(settings: Settings) -> Path:
    """The database of Feast's registry on this machine."""
    return settings.home / "features" / "registry.db"


def document(settings: Settings) -> dict[str, Any]:
    """feature_store.yaml with the settings' values."""
    loaded: dict[str, Any] = yaml.safe_load(filled(FILE.read_text(), environment(settings)))
    return loaded


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables replaced. Raises `KeyError` for one that has no value."""
    return Template(text).substitute(values)


def repo_config(settings: Settings) -> RepoConfig:
    """Feast's configuration for these settings."""
    from feature_store.feast_import import RepoConfig

    registry_file(settings).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return RepoConfig(**document(settings), repo_path=FOLDER)


def open_store(settings: Settings) -> FeatureStore:
    """Feast's store. It knows what was applied; `apply` makes it know all of the catalogue."""
    from feature_store.feast_import import FeatureStore

    return FeatureStore(config=repo_config(settings))


def apply(store: FeatureStore) -> None:
    """Bring registry and online tables to what the catalogue says; safe to do again."""
    from feature_store import repo

    store.apply(repo.OBJECTS)
    store.refresh_registry()


def close(store: FeatureStore) -> None:
    """End the connections to the online store."""
    store._get_provider().online_store.disconnect()
