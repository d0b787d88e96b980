"""What this project takes of Feast, imported without `typeguard`. Import Feast from here and nowhere else.

Feast's classes are `@typechecked`, for which typeguard parses and compiles their source again at every start: 3 of the
4.5 CPU seconds that `import feast` takes. What it would check is made from the catalogue, which mypy checks. So the
decorator does nothing while Feast is imported, and is itself again for everyone after that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import typeguard

_Decorated = TypeVar("_Decorated")


def _as_it_is(decorated: _Decorated) -> _Decorated:
    return decorated


@contextmanager
def _unchecked() -> Iterator[None]:
    checking = typeguard.typechecked
    typeguard.typechecked = _as_it_is  # type: ignore[assignment]
    try:
        yield
    finally:
        typeguard.typechecked = checking


with _unchecked():
    from feast import (
        Entity,
        FeatureService,
        FeatureStore,
        FeatureView,
        Field,
        Project,
        PushSource,
        RepoConfig,
        RequestSource,
        ValueType,
        utils,
    )
    from feast.errors import FeatureViewNotFoundException
    from feast.feature_server import get_app
    from feast.infra.key_encoding_utils import serialize_entity_key, serialize_entity_key_prefix
    from feast.infra.offline_stores.contrib.clickhouse_offline_store.clickhouse_source import ClickhouseSource
    from feast.infra.online_stores.cassandra_online_store.cassandra_online_store import (
        CassandraOnlineStore,
        CassandraOnlineStoreConfig,
    )
    from feast.infra.utils.clickhouse import connection_utils
    from feast.metrics import track_feature_statuses
    from feast.on_demand_feature_view import OnDemandFeatureView, on_demand_feature_view
    from feast.online_response import OnlineResponse
    from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Map, Value
    from feast.type_map import feast_value_type_to_python_type
    from feast.types import Array, Bool, FeastType, Float64, Int64, String

FeatureVector = GetOnlineFeaturesResponse.FeatureVector

__all__ = [
    "Array",
    "Bool",
    "CassandraOnlineStore",
    "CassandraOnlineStoreConfig",
    "ClickhouseSource",
    "Entity",
    "EntityKey",
    "FeastType",
    "FeatureService",
    "FeatureStore",
    "FeatureVector",
    "FeatureView",
    "FeatureViewNotFoundException",
    "Field",
    "FieldStatus",
    "Float64",
    "GetOnlineFeaturesResponse",
    "Int64",
    "Map",
    "OnDemandFeatureView",
    "OnlineResponse",
    "Project",
    "PushSource",
    "RepoConfig",
    "RequestSource",
    "String",
    "Value",
    "ValueType",
    "connection_utils",
    "feast_value_type_to_python_type",
    "get_app",
    "on_demand_feature_view",
    "serialize_entity_key",
    "serialize_entity_key_prefix",
    "track_feature_statuses",
    "utils",
]
