"""Feast on a real Cassandra and a real ClickHouse endpoint, with the whole catalogue applied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from feature_store.config import apply, close, open_store
from feature_store.writing import OnlineWriter
from infra.clients.clickhouse import Client, connect
from infra.settings import Settings
from tests.support.stack import RunStack


@pytest.fixture(scope="session")
def feature_settings(run_stack: RunStack) -> Settings:
    """Settings of a stack with both stores and our tables."""
    return run_stack.server("cassandra", "tables")


@pytest.fixture(scope="session")
def feature_store(feature_settings: Settings) -> Iterator[Any]:
    """Feast's store with every view and service."""
    store = open_store(feature_settings)
    apply(store)
    yield store
    close(store)


@pytest.fixture(scope="session")
def online(feature_store: Any) -> OnlineWriter:
    """A writer into the online store; use entities of your own."""
    return OnlineWriter(feature_store)


@pytest.fixture
def history(feature_settings: Settings) -> Client:
    """A client for the offline tables."""
    return connect(feature_settings.clickhouse)
