"""The API on a real ClickHouse endpoint, with tables emptied before each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from infra.clients.clickhouse import Client, connect, migrate
from infra.settings import Api, ClickHouse, Features, Settings
from schemas.tables import clickhouse_migrations
from serving import keys
from serving.api.app import create_app
from serving.merged import statements
from tests.merge.store import BATCH, SPEED
from tests.serving.api.feed import Feed
from tests.support.clickhouse import Endpoint, clear, running_owner
from tests.support.stack import RunStack

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
STACK_KEY = "a-key-of-the-stack"


@dataclass
class Caller:
    """A caller with a key; `at` is the time that the server believes in."""

    http: TestClient
    token: str

    def get(self, path: str, **parameters: Any) -> Any:
        names = {name.rstrip("_"): value for name, value in parameters.items()}
        return self.http.get(path, params=names, headers={"Authorization": f"Bearer {self.token}"})


@dataclass
class Server:
    """The application, its keys file, and a clock that tests may turn."""

    settings: Settings
    clickhouse: Any = None
    now: datetime = NOW
    query_timeout_s: int = 60
    made: dict[str, keys.Key] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = itertools.count(1)
        connect_ = self.clickhouse or (
            lambda: connect(
                self.settings.clickhouse, "analyst", connect_timeout_s=2, query_timeout_s=self.query_timeout_s
            )
        )
        self.app = create_app(self.settings, lambda: self.now, connect_, lambda: f"request-{next(numbers)}")
        self.http = TestClient(self.app, raise_server_exceptions=False)

    def caller(
        self, tenant: str, lifetime: timedelta | None = None, scopes: tuple[keys.Scope, ...] = ("read",)
    ) -> Caller:
        """Somebody with a new key of this tenant."""
        bytes_ = bytes([len(self.made) + 1])
        key, token = keys.issue(tenant, self.now, lifetime, lambda n: bytes_ * n, scopes)
        self.keep({**self.made, key.key_id: key})
        return Caller(self.http, token)

    def keep(self, made: dict[str, keys.Key]) -> None:
        self.made = made
        self.settings.api_keys_file.write_text(keys.dump(made.values()))

    @property
    def operator(self) -> Caller:
        return Caller(self.http, STACK_KEY)


@pytest.fixture(scope="session")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with running_owner(tmp_path_factory.mktemp("api") / "clickhouse") as endpoint:
        admin = connect(clickhouse_settings(endpoint), "admin", database="default")
        admin.command("CREATE DATABASE IF NOT EXISTS rivermeet")
        admin.close()
        admin = connect(clickhouse_settings(endpoint), "admin")
        migrate(admin, clickhouse_migrations(), statements())
        admin.close()
        yield endpoint


def clickhouse_settings(endpoint: Endpoint) -> ClickHouse:
    logins = {name: {"user": name, "password": endpoint.users[name]} for name in ("analyst", "admin")}
    address = {"host": endpoint.host, "port": endpoint.port, "password": endpoint.users["writer"]}
    return ClickHouse.model_validate(address | logins)


@pytest.fixture(scope="session")
def writer(owner: Endpoint) -> Iterator[Client]:
    client = connect(clickhouse_settings(owner))
    yield client
    client.close()


@pytest.fixture
def feed(writer: Client) -> Feed:
    """An empty store and an empty log."""
    clear(writer, SPEED + BATCH)
    return Feed(writer)


@pytest.fixture
def server(owner: Endpoint, tmp_path: Path) -> Iterator[Server]:
    settings = Settings(home=tmp_path, clickhouse=clickhouse_settings(owner), api=Api(key=SecretStr(STACK_KEY)))
    made = Server(settings)
    with made.http:
        yield made


@pytest.fixture
def whole(owner: Endpoint, run_stack: RunStack, tmp_path: Path) -> Iterator[Server]:
    """The API with Kafka and the registry beside ClickHouse."""
    stack = run_stack.server("topics", "schemas")
    settings = Settings(
        home=tmp_path,
        clickhouse=clickhouse_settings(owner),
        kafka=stack.kafka,
        registry=stack.registry,
        api=Api(key=SecretStr(STACK_KEY)),
    )
    made = Server(settings)
    with made.http:
        yield made


@pytest.fixture
def down(tmp_path: Path) -> Iterator[Server]:
    """The API while nothing listens where ClickHouse should be."""
    settings = Settings(
        home=tmp_path, clickhouse=ClickHouse(port=1), features=Features(port=1), api=Api(key=SecretStr(STACK_KEY))
    )
    made = Server(settings)
    with made.http:
        yield made
