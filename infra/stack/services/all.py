"""Everything that `up` brings up. The slowest to start come first."""

from __future__ import annotations

from infra.stack.plan import Node
from infra.stack.services.airflow import AIRFLOW
from infra.stack.services.cassandra import CASSANDRA
from infra.stack.services.kafka import KAFKA
from infra.stack.services.registry import REGISTRY

_ALL: tuple[Node, ...] = (*AIRFLOW, CASSANDRA, KAFKA, REGISTRY)

NODES: dict[str, Node] = {node.name: node for node in _ALL}
