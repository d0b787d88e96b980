"""What the servers must hold before anything runs on them: topics, schemas, tables. Safe to do again and again."""

from __future__ import annotations

from contextlib import closing

from infra.settings import Settings
from infra.stack.errors import StackError
from infra.stack.plan import Step

SECONDS = 30.0


class NotPreparedError(StackError):
    """A server refused what it was asked to hold."""

    def __init__(self, step: str, reason: str) -> None:
        self.step, self.reason = step, reason
        super().__init__(f"could not make the {step}: {reason}")


class PartitionsDifferError(StackError):
    """A topic exists with another number of partitions, which is fixed for as long as the topic lives."""

    def __init__(self, topic: str, existing: int, wanted: int) -> None:
        self.topic, self.existing, self.wanted = topic, existing, wanted
        super().__init__(
            f"topic {topic} has {existing} partitions and the settings want {wanted}: "
            f"set RIVERMEET_PARTITIONS='{{\"{topic}\": {existing}}}', or begin anew with `rivermeet down --wipe`"
        )


def create_topics(settings: Settings) -> None:
    """Create the topics that are missing. Raises `PartitionsDifferError`, `NotPreparedError`."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic

    from schemas.topics import with_partitions

    admin = AdminClient(settings.kafka.client_config())
    existing = admin.list_topics(timeout=SECONDS).topics
    wanted = with_partitions(settings.partitions)
    for name, topic in wanted.items():
        if name in existing and len(existing[name].partitions) != topic.partitions:
            raise PartitionsDifferError(name, len(existing[name].partitions), topic.partitions)
    new = [
        NewTopic(name, topic.partitions, settings.kafka.replication, config=topic.config())
        for name, topic in wanted.items()
        if name not in existing
    ]
    try:
        for created in admin.create_topics(new, operation_timeout=SECONDS).values() if new else ():
            created.result(SECONDS)
    except KafkaException as error:
        raise NotPreparedError("topics", str(error)) from error


def register_schemas(settings: Settings) -> None:
    """Register every version of every contract that a topic carries. Raises `NotPreparedError`."""
    from schemas.registry import IncompatibleVersion, Registry, RegistryUnavailable

    try:
        Registry(settings.registry.url).register_all()
    except (IncompatibleVersion, RegistryUnavailable) as error:
        raise NotPreparedError("schemas", str(error)) from error


def migrate_clickhouse(settings: Settings) -> None:
    """Create the database, its tables and its views, or bring them up to date. Raises `NotPreparedError`."""
    from clickhouse_connect.driver.exceptions import Error

    from batch.publish import roll_up_missing
    from infra.clients.clickhouse import MigrationChanged, StoreUnavailable, connect, migrate
    from schemas.tables import clickhouse_migrations
    from serving.merged import statements

    try:
        with closing(connect(settings.clickhouse, "admin", database="default")) as server:
            server.command(f"CREATE DATABASE IF NOT EXISTS {settings.clickhouse.database}")
        with closing(connect(settings.clickhouse, "admin")) as client:
            migrate(client, clickhouse_migrations(), statements(settings.clickhouse.database))
            roll_up_missing(client)
    except (Error, MigrationChanged, StoreUnavailable) as error:
        raise NotPreparedError("tables", str(error)) from error


def migrate_cassandra(settings: Settings) -> None:
    """Create the keyspace of the point reads and its tables, or bring them up to date. Raises `NotPreparedError`."""
    from infra.clients.cassandra import MigrationChanged, PointsUnavailable, connect, create_keyspace, migrate
    from schemas.tables import cassandra_migrations

    try:
        with connect(settings.cassandra) as server:
            create_keyspace(server, settings.cassandra)
        with connect(settings.cassandra, settings.cassandra.keyspace) as points:
            migrate(points, cassandra_migrations())
    except (MigrationChanged, PointsUnavailable) as error:
        raise NotPreparedError("tables of the point reads", str(error)) from error


TOPICS = Step("topics", create_topics, needs=("kafka",), modules=("confluent_kafka.admin", "schemas.topics"))
SCHEMAS = Step("schemas", register_schemas, needs=("registry",), modules=("schemas.registry",))
KEYSPACE = Step(
    "keyspace", migrate_cassandra, needs=("cassandra",), modules=("infra.clients.cassandra", "schemas.tables")
)
TABLES = Step(
    "tables",
    migrate_clickhouse,
    needs=("clickhouse",),
    modules=("infra.clients.clickhouse", "schemas.tables", "serving.merged"),
)
