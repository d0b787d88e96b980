"""Everything that `up` brings up. What takes longest to start comes first."""

from __future__ import annotations

from infra.stack.plan import Node
from infra.stack.prepare import KEYSPACE, SCHEMAS, TABLES, TOPICS
from infra.stack.services.airflow import AIRFLOW
from infra.stack.services.cassandra import CASSANDRA
from infra.stack.services.clickhouse import CLICKHOUSE
from infra.stack.services.kafka import KAFKA
from infra.stack.services.ours import API, FEATURE_PUSH, FEATURES, POINTS, WORKER
from infra.stack.services.registry import REGISTRY

_ALL: tuple[Node, ...] = (
    *AIRFLOW, CASSANDRA, KAFKA, REGISTRY, CLICKHOUSE, TOPICS, SCHEMAS, TABLES, KEYSPACE, WORKER, POINTS, FEATURES,
    FEATURE_PUSH, API,
)  # fmt: skip

NODES: dict[str, Node] = {node.name: node for node in _ALL}
