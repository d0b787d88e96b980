"""Cassandra: sessions with prepared statements, many writes at once, and the migrations of the keyspace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cassandra import ConsistencyLevel, DriverException, OperationTimedOut, RequestExecutionException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.query import SimpleStatement

from infra.settings import Cassandra
from schemas.tables import Migration

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 10.0
_CONCURRENCY = 64
_ERRORS = (NoHostAvailable, DriverException, OperationTimedOut, RequestExecutionException, OSError)


class PointsUnavailable(Exception):
    """Cassandra cannot answer now; the same statement may be tried again later."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Cassandra cannot answer now: {reason}; see `rivermeet status`")
        self.reason = reason


class MigrationChanged(Exception):
    """A migration that the keyspace has applied is no longer what the files say; add a new migration instead."""

    def __init__(self, name: str) -> None:
        super().__init__(f"migration {name} has changed since it was applied; restore its text and add a new migration")
        self.name = name


class Points:
    """A session; may be used by several threads. Statements are prepared once, and name tables of `keyspace`.

    Statements are idempotent, every one of them: writes carry their own timestamp.
    """

    def __init__(self, cluster: Any, session: Any, keyspace: str | None) -> None:
        self._cluster, self._session = cluster, session
        self._keyspace = keyspace
        self._prepared: dict[str, Any] = {}

    def rows(self, cql: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query, as named tuples. Raises `PointsUnavailable`."""
        with _unavailable():
            return list(self._session.execute(self._statement(cql), tuple(values)))

    def write(self, cql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Runs a statement for every row, many at a time; returns when all are acknowledged.

        Raises `PointsUnavailable`; then some of the rows may be written, and all may be written again.
        """
        with _unavailable():
            execute_concurrent_with_args(
                self._session, self._statement(cql), [tuple(row) for row in rows], concurrency=_CONCURRENCY
            )

    def run(self, cql: str) -> None:
        """Runs a statement that defines something. Raises `PointsUnavailable`."""
        with _unavailable():
            self._session.execute(SimpleStatement(cql, keyspace=self._keyspace))

    def close(self) -> None:
        """Ends the connections."""
        self._cluster.shutdown()

    def _statement(self, cql: str) -> Any:
        if cql not in self._prepared:
            statement = self._session.prepare(cql, keyspace=self._keyspace)
            statement.is_idempotent = True
            self._prepared[cql] = statement
        return self._prepared[cql]


@contextmanager
def connect(
    settings: Cassandra, keyspace: str | None = None, *, timeout_s: float = REQUEST_SECONDS
) -> Iterator[Points]:
    """A session for as long as the block lasts. Raises `PointsUnavailable`."""
    points = opened(settings, keyspace, timeout_s=timeout_s)
    try:
        yield points
    finally:
        points.close()


def opened(settings: Cassandra, keyspace: str | None = None, *, timeout_s: float = REQUEST_SECONDS) -> Points:
    """A session that the caller closes; every request ends within `timeout_s`. Raises `PointsUnavailable`."""
    profile = ExecutionProfile(
        TokenAwarePolicy(DCAwareRoundRobinPolicy(settings.datacenter)),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        request_timeout=timeout_s,
    )
    cluster = Cluster(
        [settings.host],
        port=settings.port,
        auth_provider=PlainTextAuthProvider(settings.user, settings.password.get_secret_value()),
        protocol_version=5,
        connect_timeout=CONNECT_SECONDS,
        control_connection_timeout=CONNECT_SECONDS,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
    )
    try:
        with _unavailable():
            return Points(cluster, cluster.connect(), keyspace)
    except PointsUnavailable:
        cluster.shutdown()
        raise


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        raise PointsUnavailable(str(error) or repr(error)) from error


def create_keyspace(points: Points, settings: Cassandra) -> None:
    """Makes the settings' keyspace if it is not there. Raises `PointsUnavailable`."""
    copies = {"class": "NetworkTopologyStrategy", settings.datacenter: settings.replication}
    points.run(f"CREATE KEYSPACE IF NOT EXISTS {settings.keyspace} WITH replication = {copies}")


def migrate(points: Points, migrations: Iterable[Migration]) -> list[str]:
    """Applies what the keyspace lacks; returns the names of the migrations applied.

    Raises `MigrationChanged`, `PointsUnavailable`.
    """
    points.run("CREATE TABLE IF NOT EXISTS schema_migrations (number int PRIMARY KEY, name text, checksum text)")
    applied = {row.number: row.checksum for row in points.rows("SELECT number, checksum FROM schema_migrations")}
    return [one.name for one in migrations if _apply(points, one, applied)]


def _apply(points: Points, migration: Migration, applied: Mapping[int, str]) -> bool:
    if migration.number in applied:
        if applied[migration.number] != migration.checksum:
            raise MigrationChanged(migration.name)
        return False
    points.run(migration.sql)
    row = (migration.number, migration.name, migration.checksum)
    points.write("INSERT INTO schema_migrations (number, name, checksum) VALUES (?, ?, ?)", [row])
    return True
