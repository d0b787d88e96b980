"""What Feast is told: entities, views, on-demand views and services, all made from the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from feature_store.catalogue import ENTITIES, ON_DEMAND, SERVICES, VIEWS
from feature_store.feast_import import (
    Array,
    Bool,
    ClickhouseSource,
    Entity,
    FeastType,
    FeatureService,
    FeatureView,
    Field,
    Float64,
    Int64,
    OnDemandFeatureView,
    Project,
    PushSource,
    RequestSource,
    String,
    ValueType,
    on_demand_feature_view,
)
from feature_store.model import Feature, Kind, OnDemand, Origin, Service, View

_TYPES: Mapping[Kind, FeastType] = {
    Kind.STRING: String,
    Kind.INT64: Int64,
    Kind.FLOAT64: Float64,
    Kind.BOOL: Bool,
    Kind.STRINGS: Array(String),
    Kind.FLOATS: Array(Float64),
}
OWNER = "data-platform"

project = Project(name="rivermeet", description="Features of shops: nightly recomputes and the stream, one answer.")
_entities = {
    key: Entity(name=name, join_keys=[key], value_type=ValueType.STRING, description=meaning, owner=OWNER)
    for name, (key, meaning) in ENTITIES.items()
}


def _field(feature: Feature) -> Field:
    return Field(name=feature.name, dtype=_TYPES[feature.kind], description=_description(feature), tags=_tags(feature))


def _description(feature: Feature) -> str:
    return f"{feature.meaning} [{feature.unit}]" if feature.unit else feature.meaning


def _tags(feature: Feature) -> dict[str, str]:
    return {"default": repr(feature.default)}


def _view(view: View) -> FeatureView:
    history = ClickhouseSource(
        name=f"{view.name}_history",
        query=view.query,
        timestamp_field="event_time",
        created_timestamp_column="created_at",
        description=view.meaning,
    )
    streamed = view.origin is Origin.STREAM
    return FeatureView(
        name=view.name,
        entities=[_entities[key] for key in view.keys],
        ttl=view.max_age,
        source=PushSource(name=f"{view.name}_push", batch_source=history) if streamed else history,
        schema=[*(Field(name=key, dtype=String) for key in view.keys), *map(_field, view.features)],
        online=True,
        description=view.meaning,
        owner=OWNER,
        tags={"origin": view.origin.value, "freshness": _seconds(view.freshness)},
    )


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"


# Feast keeps the text of these two and runs it elsewhere: they bring all that they need.
def _purchase_context(inputs: dict[str, Any]) -> dict[str, Any]:
    from feature_store.on_demand import by_row, purchase_context

    return by_row(purchase_context, inputs)


def _cold_start(inputs: dict[str, Any]) -> dict[str, Any]:
    from feature_store.on_demand import by_row, cold_start

    return by_row(cold_start, inputs)


_COMPUTE: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "purchase_context": _purchase_context,
    "cold_start": _cold_start,
}


def _on_demand(one: OnDemand) -> OnDemandFeatureView:
    sources: list[Any] = [_views[name][list(features)] for name, features in one.inputs.items()]
    if one.request:
        request = [Field(name=feature.name, dtype=_TYPES[feature.kind]) for feature in one.request]
        sources.append(RequestSource(name=f"{one.name}_request", schema=request))
    made: OnDemandFeatureView = on_demand_feature_view(
        name=one.name,
        sources=sources,
        # Feast compares these with what it infers, which has no description.
        schema=[Field(name=feature.name, dtype=_TYPES[feature.kind]) for feature in one.features],
        mode="python",
        description=one.meaning,
        owner=OWNER,
    )(_COMPUTE[one.name])
    return made


def _service(service: Service) -> FeatureService:
    known: Mapping[str, Any] = {**_views, **_computed}
    taken = [known[name][list(chosen)] if chosen else known[name] for name, chosen in service.takes.items()]
    return FeatureService(name=service.name, features=taken, description=service.meaning, owner=OWNER)


_views = {name: _view(view) for name, view in VIEWS.items()}
_computed = {name: _on_demand(one) for name, one in ON_DEMAND.items()}
_services = {name: _service(service) for name, service in SERVICES.items()}

OBJECTS = [project, *_entities.values(), *_views.values(), *_computed.values(), *_services.values()]
"""Everything, as `FeatureStore.apply` takes it."""

# Feast's own commands look at the names of a module, and not into lists.
globals().update({f"object_{number}": one for number, one in enumerate(OBJECTS)})
