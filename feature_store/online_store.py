"""The online store: Cassandra, in which of two values of an entity the newer one stays, in whatever order they come.

It is Feast's store with these differences. All features of a view are one cell, so that a value is read whole or not at
all. It is written `USING TIMESTAMP` its version (`feature_store.versions`), so Cassandra itself drops what is late or
replayed. Views of the same entities share a table and are read together (`online_cql`), those of other entities side by
side, and answers are made column by column (`online_answers`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import tuple_factory

from feature_store import online_cql as cql
from feature_store.entity_keys import key_of_message, keys_of_values
from feature_store.feast_import import (
    CassandraOnlineStore,
    CassandraOnlineStoreConfig,
    EntityKey,
    FeatureView,
    RepoConfig,
    Value,
    utils,
)
from feature_store.online_answers import ColumnResponse, fill
from feature_store.online_reads import Asked, by_entities, entities_of
from feature_store.online_rows import OnlineValue, batches, of_messages, send, utc
from feature_store.versions import version

AHEAD = timedelta(minutes=10)
"""How far ahead of this machine's clock an event may be; one further ahead would shut out the values after it."""
KEYS_PER_READ = 100

Row = tuple[EntityKey, Mapping[str, Value], datetime, datetime | None]


class FutureEvent(Exception):
    """A value is of a time that has not come. Nothing was written; correct its event time."""

    def __init__(self, view: str, event: datetime) -> None:
        super().__init__(f"{view}: a value of {event} lies ahead of the clock; correct its event time")
        self.view, self.event = view, event


class OnlineWriteFailed(Exception):
    """Cassandra did not take some rows. Writing all of them again is safe."""

    def __init__(self, messages: int, why: str) -> None:
        super().__init__(f"{messages} messages of rows were not written ({why}); write all of them again")
        self.messages, self.why = messages, why


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
        self._tuples: Any = None

    def online_write_batch(
        self, config: RepoConfig, table: FeatureView, data: Sequence[Row], progress: Callable[[int], Any] | None
    ) -> None:
        """Write rows that carry every feature of the view. Raises `FutureEvent`, `OnlineWriteFailed`."""
        self.write(
            config,
            [
                OnlineValue(table, key_of_message(key), event, created, of_messages(values))
                for key, values, event, created in data
            ],
        )
        if progress:
            progress(len(data))

    def write(self, config: RepoConfig, values: Sequence[OnlineValue]) -> None:
        """Write values of any views, those of one entity best one after the other. Raises as `online_write_batch`."""
        self._check_times(values)
        session = self._get_session(config)
        statements = {one.view.name: self._prepared(config, cql.WRITE, one.view) for one in values}
        bound = ((statements[one.view.name].bind(one.parameters), len(one.features)) for one in values)
        if failures := send(session, batches(session, bound), config.online_store.write_concurrency):
            raise OnlineWriteFailed(len(failures), str(failures[0]))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[tuple[datetime | None, dict[str, Value] | None]]:
        """The values of these entities, in their order; (None, None) for one that has none, or none young enough."""
        asked = self._ask(config, [table], [key_of_message(key) for key in entity_keys])
        return [(event, _chosen(values, requested_features)) for event, values in asked.found(table, self.clock())]

    def get_online_features(self, *arguments: Any, **named: Any) -> ColumnResponse:
        """As Feast's."""
        response = super().get_online_features(*arguments, **named)
        return ColumnResponse(response.proto, response._feature_types)

    def erase(self, config: RepoConfig, table: FeatureView, keys: Iterable[str], now_ms: int) -> None:
        """Delete all values up to now under these keys; an older one that is written later stays deleted."""
        session, statement = self._get_session(config), self._prepared(config, cql.ERASE, table)
        rows = [(version(now_ms + 1), key, table.name) for key in keys]
        execute_concurrent_with_args(session, statement, rows, concurrency=config.online_store.write_concurrency)

    def holds(self, config: RepoConfig, table: FeatureView, keys: Iterable[str]) -> list[bool]:
        """Of each key whether there is a row, however old."""
        session, statement = self._get_session(config), self._prepared(config, cql.READ, table)
        return [bool(session.execute(statement, (key, [table.name])).one()) for key in keys]

    def disconnect(self) -> None:
        """End the connections; the next use opens new ones."""
        if self._session is not None:
            self._cluster.shutdown()
            self._session = self._cluster = self._tuples = None
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
        """Make the tables of views that are new, and erase the rows of views that are gone."""
        session = self._get_session(config)
        for table in dict.fromkeys(cql.table_of(config, view) for view in tables_to_keep):
            session.execute(cql.TABLE.format(table=table))
        for view in tables_to_delete:
            rows = session.execute(self._prepared(config, cql.KEYS, view), (view.name,))
            self.erase(config, view, [row.entity_key for row in rows], int(self.clock() * 1000))

    def teardown(
        self,
        config: RepoConfig,
        tables: Sequence[FeatureView],
        entities: Sequence[Any],  # noqa: ARG002 - the signature is Feast's
    ) -> None:
        """Drop the tables of these views."""
        for table in dict.fromkeys(cql.table_of(config, view) for view in tables):
            self._get_session(config).execute(cql.DROP.format(table=table))

    def _get_session(self, config: RepoConfig) -> Session:
        """The one session of this process; at the first use the keyspace is made, if there is none."""
        if self._session is None:
            self._make_keyspace(config)
        session: Session = super()._get_session(config)
        if self._tuples is None:
            # The driver's own rows are of a class that it compiles for each answer.
            self._tuples = session.execution_profile_clone_update(EXEC_PROFILE_DEFAULT, row_factory=tuple_factory)
        return session

    def _make_keyspace(self, config: RepoConfig) -> None:
        options = config.online_store
        text = cql.KEYSPACE.format(
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
        """Feast's own loop over views, with those of the same entities read at once, and all asked for before the
        first answer is waited for."""
        asked = {}
        for same, views in by_entities(view for view, _ in grouped_refs).items():
            entities, places, length = utils._get_unique_entities(
                views[0], join_key_values, entity_name_to_join_key_map
            )
            asked[same] = self._ask(config, views, keys_of_values(entities)), places, length
        for view, names in grouped_refs:
            asking, places, length = asked[entities_of(view)]
            fill(
                online_features_response,
                view,
                names,
                asking.found(view, self.clock()),
                places,
                length,
                full_feature_names,
                include_feature_view_version_metadata,
            )

    def _ask(self, config: RepoConfig, views: Sequence[FeatureView], keys: Sequence[str]) -> Asked:
        session, names = self._get_session(config), [view.name for view in views]
        if len(keys) == 1:
            one = self._prepared(config, cql.READ, views[0])
            return Asked(keys, [session.execute_async(one, (keys[0], names), execution_profile=self._tuples)])
        many = self._prepared(config, cql.READ_MANY, views[0])
        parts = [keys[start : start + KEYS_PER_READ] for start in range(0, len(keys), KEYS_PER_READ)]
        return Asked(
            keys, [session.execute_async(many, (part, names), execution_profile=self._tuples) for part in parts]
        )

    def _check_times(self, values: Iterable[OnlineValue]) -> None:
        latest = datetime.fromtimestamp(self.clock(), UTC) + AHEAD
        for one in values:
            if utc(one.event) > latest:
                raise FutureEvent(one.view.name, one.event)

    def _prepared(self, config: RepoConfig, text: str, view: FeatureView) -> Any:
        statement = text.format(table=cql.table_of(config, view))
        if statement not in self._prepared_statements:
            self._prepared_statements[statement] = self._get_session(config).prepare(statement)
        return self._prepared_statements[statement]


def _chosen(values: Mapping[str, Value] | None, names: Iterable[str] | None) -> dict[str, Value] | None:
    if values is None:
        return None
    return {name: values[name] for name in (values if names is None else names) if name in values}
