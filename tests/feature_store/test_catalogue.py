"""The catalogue is whole, and what is made from it says the same."""

from __future__ import annotations

import pytest

from feature_store import documents, on_demand
from feature_store.catalogue import ENTITIES, ON_DEMAND, SERVICES, VIEWS, defaults, keys
from feature_store.model import Kind, OnDemand, Value, View

TYPES: dict[Kind, type] = {
    Kind.STRING: str,
    Kind.INT64: int,
    Kind.FLOAT64: float,
    Kind.BOOL: bool,
    Kind.STRINGS: tuple,
    Kind.FLOATS: tuple,
}
SOURCES: list[View | OnDemand] = [*VIEWS.values(), *ON_DEMAND.values()]


def test_features_md_is_what_the_catalogue_says() -> None:
    assert documents.FILE.read_text() == documents.text(), "write it anew: rivermeet features document"


def test_a_name_means_one_feature() -> None:
    names = [feature.name for source in SOURCES for feature in source.features]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_defaults_have_the_type_of_their_feature(source: View | OnDemand) -> None:
    for feature in source.features:
        value: Value = feature.default
        assert type(value) is TYPES[feature.kind], feature.name
        assert feature.meaning


def test_every_key_is_an_entity() -> None:
    known = {key for key, _ in ENTITIES.values()}
    assert {key for view in VIEWS.values() for key in view.keys} == known


def test_what_is_computed_has_a_function_and_known_inputs() -> None:
    for name, one in ON_DEMAND.items():
        assert callable(getattr(on_demand, name))
        for view, features in one.inputs.items():
            assert set(features) <= set(VIEWS[view].defaults)


def test_services_take_features_that_there_are() -> None:
    for service in SERVICES.values():
        for name, chosen in service.takes.items():
            source = VIEWS[name] if name in VIEWS else ON_DEMAND[name]
            assert set(chosen) <= {feature.name for feature in source.features}
    assert keys("fraud_v1") == ("tenant_id", "user_id", "session_id")
    assert defaults("user_v1")["is_new_user"] is True
