"""The online store: Cassandra, in which of two values of an entity the newer one stays, in whatever order they come.

It is Feast's store with three differences. A row holds all features of a view, as one cell, so that a value is read
whole or not at all. It is written `USING TIMESTAMP` its version (`feature_store.versions`), so Cassandra itself drops
what is late or replayed. And the views of a request are read side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cassandra.cluster import ResponseFuture, Session
from cassandra.concurrent import execute_concurrent
from cassandra.query import BatchStatement, BatchType, BoundStatement

from feature_store.feast_import import (
    CassandraOnlineStore,
    CassandraOnlineStoreConfig,
    EntityKey,
    FeatureView,
    Map,
    RepoConfig,
    Value,
    serialize_entity_key,
    utils,
)
from feature_store.versions import version

AHEAD = timedelta(minutes=10)
"""How far ahead of this machine's clock an event may be; one further ahead would shut out the values after it."""
TABLE = """CREATE TABLE IF NOT EXISTS {table} (
    entity_key text PRIMARY KEY, event_ts timestamp, created_ts timestamp, features blob
) WITH comment = 'Writer: feature_store. features: feast.types.Map, name to value; the write time is the version.'"""
WRITE = "INSERT INTO {table} (entity_key, event_ts, created_ts, features) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
READ = "SELECT entity_key, event_ts, features FROM {table} WHERE entity_key = ?"
READ_MANY = "SELECT entity_key, event_ts, features FROM {table} WHERE entity_key IN ?"
ERASE = "DELETE FROM {table} USING TIMESTAMP ? WHERE entity_key = ?"
KEYS_PER_READ, ROWS_PER_BATCH = 100, 10
KEYSPACE = (
    "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication ="
    " {{'class': 'NetworkTopologyStrategy', '{datacenter}': {copies}}}"
)

Row = tuple[EntityKey, Mapping[str, Value], datetime, datetime | None]
Found = tuple[datetime | None, dict[str, Value] | None]


class FutureEvent(Exception):
    """A value is of a time that has not come. Nothing was written; correct its event time."""

    def __init__(self, view: str, event: datetime) -> None:
        super().__init__(f"{view}: a value of {event} lies ahead of the clock; correct its event time")
        self.view, self.event = view, event


class OnlineWriteFailed(Exception):
    """Cassandra did not take some rows. Writing all of them again is safe."""

    def __init__(self, view: str, rows: int, why: str) -> None:
        super().__init__(f"{view}: {rows} rows were not written ({why}); write them again")
        self.view, self.rows, self.why = view, rows, why


class GuardedOnlineStoreConfig(CassandraOnlineStoreConfig):  # type: ignore[misc]  # feast is untyped
    """Feast's options, and how many copies a keyspace gets that does not exist yet."""

    type: Literal["feature_store.online_store.GuardedOnlineStore"] = "feature_store.online_store.GuardedOnlineStore"
    replication: int = 1


class GuardedOnlineStore(CassandraOnlineStore):  # type: ignore[misc]  # feast is untyped
    """Feast calls this by its name in feature_store.yaml."""

    clock: Callable[[], float] = staticmethod(time.time)
    """Seconds since 1970; tests turn it."""

    def __init__(self) -> None:
        # Feast keeps statements by class; they belong to a session.
        self._session: Any = None
        self._cluster: Any = None
        self._prepared_statements: dict[str, Any] = {}

    def online_write_batch(
        self, config: RepoConfig, table: FeatureView, data: Sequence[Row], progress: Callable[[int], Any] | None
    ) -> None:
        """Write rows that carry every feature of the view. Raises `FutureEvent`, `OnlineWriteFailed`."""
        self._check_times(table, data)
        session, statement = self._get_session(config), self._prepared(config, WRITE, table)
        batches = list(_batches(session, [statement.bind(_written(config, row)) for row in data]))
        results = execute_concurrent(
            session,
            [(batch, None) for batch in batches],
            concurrency=config.online_store.write_concurrency,
            raise_on_first_error=False,
        )
        if failed := [result for succeeded, result in results if not succeeded]:
            raise OnlineWriteFailed(table.name, len(failed), str(failed[0]))
        if progress:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Found]:
        """The values of these entities, in their order; (None, None) for one that has none, or none young enough."""
        reading = self._ask(config, table, entity_keys)
        return self._answer(table, reading, requested_features)

    def erase(self, config: RepoConfig, table: FeatureView, entity_keys: Iterable[EntityKey], now_ms: int) -> None:
        """Delete all values up to now of these entities; an older one that is written later stays deleted."""
        statement = self._prepared(config, ERASE, table)
        for key in entity_keys:
            self._get_session(config).execute(statement, (version(now_ms + 1), _hex(config, key)))

    def holds(self, config: RepoConfig, table: FeatureView, entity_keys: Iterable[EntityKey]) -> list[bool]:
        """Of each entity whether there is a row, however old."""
        session, statement = self._get_session(config), self._prepared(config, READ, table)
        return [bool(session.execute(statement, (_hex(config, key),)).one()) for key in entity_keys]

    def disconnect(self) -> None:
        """End the connections; the next use opens new ones."""
        if self._session is not None:
            self._cluster.shutdown()
            self._session = self._cluster = None
            self._prepared_statements = {}

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Any],  # noqa: ARG002 - the signature is Feast's
        entities_to_keep: Sequence[Any],  # noqa: ARG002 - the signature is Feast's
        partial: bool,  # noqa: ARG002 - the signature is Feast's
    ) -> None:
        """Make the tables of views that are new and drop those of views that are gone."""
        session = self._get_session(config)
        for view in tables_to_keep:
            session.execute(TABLE.format(table=self._table(config, view)))
        for view in tables_to_delete:
            self._drop_table(config, config.project, view)

    def _get_session(self, config: RepoConfig) -> Session:
        """The one session of this process; at the first use the keyspace is made, if there is none."""
        if self._session is None:
            self._make_keyspace(config)
        session: Session = super()._get_session(config)
        return session

    def _make_keyspace(self, config: RepoConfig) -> None:
        options = config.online_store
        text = KEYSPACE.format(
            keyspace=options.keyspace, datacenter=options.load_balancing.local_dc, copies=options.replication
        )
        anywhere = config.model_copy()
        anywhere._online_store = options.model_copy(update={"keyspace": "system"})
        connecting = CassandraOnlineStore()
        session = connecting._get_session(anywhere)
        try:
            session.execute(text)
        finally:
            connecting._cluster.shutdown()

    def _read_features_per_fv(
        self,
        config: RepoConfig,
        grouped_refs: list[tuple[FeatureView, list[str]]],
        join_key_values: dict[str, Any],
        entity_name_to_join_key_map: dict[str, str],
        online_features_response: Any,
        full_feature_names: bool,
        include_feature_view_version_metadata: bool,
    ) -> None:
        """Feast's own loop over views, with all of them asked before the first answer is waited for."""
        asked = []
        for table, names in grouped_refs:
            values, places, length = utils._get_unique_entities(table, join_key_values, entity_name_to_join_key_map)
            asked.append((table, names, places, length, self._ask(config, table, utils._get_entity_key_protos(values))))
        for table, names, places, length, reading in asked:
            utils._populate_response_from_feature_data(
                names,
                self._answer(table, reading, names),
                places,
                online_features_response,
                full_feature_names,
                table,
                length,
                include_feature_view_version_metadata,
            )

    def _ask(
        self, config: RepoConfig, table: FeatureView, entity_keys: Sequence[EntityKey]
    ) -> tuple[list[str], list[ResponseFuture]]:
        keys, session = [_hex(config, key) for key in entity_keys], self._get_session(config)
        if len(keys) == 1:
            return keys, [session.execute_async(self._prepared(config, READ, table), (keys[0],))]
        many = self._prepared(config, READ_MANY, table)
        parts = [keys[start : start + KEYS_PER_READ] for start in range(0, len(keys), KEYS_PER_READ)]
        return keys, [session.execute_async(many, (part,)) for part in parts]

    def _answer(
        self, table: FeatureView, reading: tuple[list[str], list[ResponseFuture]], names: Sequence[str] | None
    ) -> list[Found]:
        keys, futures = reading
        found = {row.entity_key: row for future in futures for row in future.result()}
        oldest = self.clock() - table.ttl.total_seconds() if table.ttl else 0.0
        return [_values(found.get(key), names, oldest) for key in keys]

    def _check_times(self, table: FeatureView, data: Iterable[Row]) -> None:
        latest = datetime.fromtimestamp(self.clock(), UTC) + AHEAD
        for _, _, event, _ in data:
            if _utc(event) > latest:
                raise FutureEvent(table.name, event)

    def _prepared(self, config: RepoConfig, text: str, table: FeatureView) -> Any:
        statement = text.format(table=self._table(config, table))
        if statement not in self._prepared_statements:
            self._prepared_statements[statement] = self._get_session(config).prepare(statement)
        return self._prepared_statements[statement]

    def _table(self, config: RepoConfig, table: FeatureView) -> str:
        return str(self._fq_table_name(config.online_store.keyspace, config.project, table))


def _batches(session: Session, bound: Sequence[BoundStatement]) -> Iterator[BatchStatement]:
    """Rows that one node takes, together: a message costs more than a row. Each row keeps its own version."""
    metadata = session.cluster.metadata
    waiting: dict[Any, BatchStatement] = {}
    for statement in bound:
        replicas = metadata.get_replicas(statement.keyspace, statement.routing_key)
        owner = replicas[0] if replicas else None
        batch = waiting.setdefault(owner, BatchStatement(BatchType.UNLOGGED))
        batch.add(statement)
        if len(batch) == ROWS_PER_BATCH:
            yield waiting.pop(owner)
    yield from waiting.values()


def _written(config: RepoConfig, row: Row) -> tuple[str, datetime, datetime | None, bytes, int]:
    key, values, event, created = row
    number = version(_milliseconds(event), None if created is None else _milliseconds(created))
    # Equal values have equal bytes, so that a replay changes nothing at all.
    features = Map(val=values).SerializeToString(deterministic=True)
    return _hex(config, key), event, created, features, number


def _values(row: Any, names: Sequence[str] | None, oldest: float) -> Found:
    if row is None or row.features is None or _utc(row.event_ts).timestamp() < oldest:
        return None, None
    stored = Map.FromString(row.features).val
    chosen: Iterator[str] = iter(stored if names is None else [name for name in names if name in stored])
    return row.event_ts, {name: stored[name] for name in chosen}


def _hex(config: RepoConfig, key: EntityKey) -> str:
    encoded: bytes = serialize_entity_key(key, config.entity_key_serialization_version)
    return encoded.hex()


def _utc(moment: datetime) -> datetime:
    """Feast and the driver give UTC, some without saying so."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _milliseconds(moment: datetime) -> int:
    return int(_utc(moment).timestamp() * 1000)
