"""Every feature: name, entity, type, source column, meaning, default, freshness. Views, services and FEATURES.md are
made from it; nothing else defines a feature. Amounts are minor units of the user's or product's `currency`."""

from __future__ import annotations

from collections.abc import Mapping

from feature_store.catalogue.entities import ENTITIES, PRODUCT, SESSION, TENANT, USER
from feature_store.catalogue.fields import NEVER_DAYS
from feature_store.catalogue.products import PRODUCT_LIVE, PRODUCT_NEIGHBOURS, PRODUCT_STATS
from feature_store.catalogue.requests import COLD_START, PURCHASE_CONTEXT
from feature_store.catalogue.services import SERVICES
from feature_store.catalogue.sessions import SESSION_LIVE
from feature_store.catalogue.users import USER_BEHAVIOUR, USER_INTERESTS, USER_LIVE, USER_PRODUCT, USER_RECENT
from feature_store.model import OnDemand, Value, View

__all__ = [
    "COLD_START",
    "ENTITIES",
    "NEVER_DAYS",
    "ON_DEMAND",
    "PRODUCT",
    "PURCHASE_CONTEXT",
    "SERVICES",
    "SESSION",
    "TENANT",
    "USER",
    "USER_BEHAVIOUR",
    "VIEWS",
    "defaults",
    "keys",
]

VIEWS: Mapping[str, View] = {
    view.name: view
    for view in (
        USER_BEHAVIOUR,
        USER_INTERESTS,
        USER_PRODUCT,
        PRODUCT_STATS,
        PRODUCT_NEIGHBOURS,
        USER_LIVE,
        USER_RECENT,
        SESSION_LIVE,
        PRODUCT_LIVE,
    )
}
ON_DEMAND: Mapping[str, OnDemand] = {one.name: one for one in (PURCHASE_CONTEXT, COLD_START)}


def defaults(service: str) -> dict[str, Value]:
    """The default of each feature of a service, in the order of the service. Raises `KeyError` for an unknown one."""
    found: dict[str, Value] = {}
    for name, chosen in SERVICES[service].takes.items():
        source: View | OnDemand = VIEWS[name] if name in VIEWS else ON_DEMAND[name]
        found |= {f.name: f.default for f in source.features if not chosen or f.name in chosen}
    return found


def keys(service: str) -> tuple[str, ...]:
    """The join keys that a service's entity rows have."""
    found = [VIEWS[name].keys for name in SERVICES[service].takes if name in VIEWS]
    return tuple(dict.fromkeys(key for each in found for key in each))
