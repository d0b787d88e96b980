"""One suite of client behaviour: against an owner process, or the server that RIVERMEET_TEST_CLICKHOUSE_URL names.

The server needs users writer, analyst and admin with the roles that ``python -m infra.clickhouse.access`` prints, and
one password for all: ``http://writer:<password>@host:8123``.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.clickhouse import Endpoint, running_owner

_SERVER = "RIVERMEET_TEST_CLICKHOUSE_URL"


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """The interface under test."""
    if _SERVER in os.environ:
        parts = urlsplit(os.environ[_SERVER])
        password = parts.password or ""
        yield Endpoint(
            parts.hostname or "", parts.port or 8123, dict.fromkeys(("writer", "analyst", "admin"), password)
        )
        return
    with running_owner(tmp_path_factory.mktemp("clickhouse") / "store") as owner:
        yield owner


@pytest.fixture(scope="session")
def owner(endpoint: Endpoint) -> Endpoint:
    """The owner process; tests of what only it does are skipped where the suite runs against a server."""
    if not endpoint.pid:
        pytest.skip(f"tells about the owner process, and {_SERVER} names a server")
    return endpoint


@pytest.fixture(scope="session")
def client(endpoint: Endpoint) -> Iterator[Any]:
    """The writer's client: it has no session, so its requests know nothing of each other."""
    client = endpoint.client()
    yield client
    client.close()


@pytest.fixture(scope="session")
def analyst(endpoint: Endpoint) -> Iterator[Any]:
    """The analyst's client."""
    client = endpoint.client("analyst")
    yield client
    client.close()


@pytest.fixture
def table(client: Any) -> Iterator[str]:
    """A table of numbers and words: ``n Int64, word String``."""
    name = f"t_{secrets.token_hex(4)}"
    client.command(f"CREATE TABLE {name} (n Int64, word String) ENGINE = MergeTree ORDER BY n")
    yield name
    client.command(f"DROP TABLE IF EXISTS {name} SYNC")


@pytest.fixture
def http(endpoint: Endpoint) -> Iterator[httpx.Client]:
    """A bare HTTP client, logged in as writer, database rivermeet."""
    headers = {"X-ClickHouse-Database": "rivermeet", "Accept-Encoding": "identity"}
    with httpx.Client(
        base_url=endpoint.url, auth=("writer", endpoint.users["writer"]), headers=headers, timeout=60
    ) as http:
        yield http


@pytest.fixture
def spill(owner: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the owner keeps bodies for a moment."""
    return next(tmp_path_factory.getbasetemp().glob("clickhouse*/store/spill"))
