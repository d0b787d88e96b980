"""What the online store says to Cassandra. A table holds all views of the same entities: one partition of an entity
has a row of each view, so whatever a model wants to know of an entity is one read, and one write."""

from __future__ import annotations

from feature_store.feast_import import FeatureView, RepoConfig

KEYSPACE = (
    "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication ="
    " {{'class': 'NetworkTopologyStrategy', '{datacenter}': {copies}}}"
)
TABLE = """CREATE TABLE IF NOT EXISTS {table} (
    entity_key text, feature_view text, event_ts timestamp, created_ts timestamp, features blob,
    PRIMARY KEY (entity_key, feature_view)
) WITH comment = 'Writer: feature_store. features: feast.types.Map, name to value; the write time is the version.'"""
DROP = "DROP TABLE IF EXISTS {table}"
WRITE = (
    "INSERT INTO {table} (entity_key, feature_view, event_ts, created_ts, features) VALUES (?, ?, ?, ?, ?)"
    " USING TIMESTAMP ?"
)
READ = "SELECT entity_key, feature_view, event_ts, features FROM {table} WHERE entity_key = ? AND feature_view IN ?"
READ_MANY = (
    "SELECT entity_key, feature_view, event_ts, features FROM {table} WHERE entity_key IN ? AND feature_view IN ?"
)
ERASE = "DELETE FROM {table} USING TIMESTAMP ? WHERE entity_key = ? AND feature_view = ?"
KEYS = "SELECT entity_key FROM {table} WHERE feature_view = ? ALLOW FILTERING"


def table_of(config: RepoConfig, view: FeatureView) -> str:
    """The table of a view, which those of the same entities share."""
    return f'"{config.online_store.keyspace}"."{config.project}_{"_".join(view.entities)}"'
