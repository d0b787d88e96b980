"""What a reader is given: every feature of a service, with defaults where nothing is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feature_store.catalogue import COLD_START, TENANT, USER, defaults, keys
from feature_store.catalogue import SERVICES as _SERVICES

if TYPE_CHECKING:
    import pandas as pd

NEW = COLD_START.features[0].name


@dataclass(frozen=True)
class Answer:
    """The features of one entity. `defaulted` names those of which nothing is known."""

    features: Mapping[str, Any]
    defaulted: tuple[str, ...]

    @property
    def is_new_user(self) -> bool:
        """Nothing at all is known."""
        return bool(self.features.get(NEW, len(self.defaulted) == len(self.features)))


def answer(service: str, found: Mapping[str, Any]) -> Answer:
    """The features of a service from what Feast found of one entity; None is not known."""
    wanted = defaults(service)
    missing = tuple(name for name in wanted if found.get(name) is None)
    values = {name: default if found.get(name) is None else found[name] for name, default in wanted.items()}
    return Answer(values, missing)


def of_users_alone(service: str) -> bool:
    """Whether a service wants no more than tenant and user, and no data of a request."""
    if service not in _SERVICES or keys(service) != (TENANT, USER):
        return False
    return "purchase_context" not in _SERVICES[service].takes


def filled(service: str, table: pd.DataFrame) -> pd.DataFrame:
    """The same for a table of training rows: every feature of the service has its default where it is missing.

    Numbers come out as numbers, whatever the join made of them.
    """
    columns: dict[str, Any] = {name: table[name] for name in defaults(service)}
    for name, default in defaults(service).items():
        known = columns[name].where(columns[name].notna(), default)
        columns[name] = known.astype(_TYPES.get(type(default), "object"))
    return table.assign(**columns)


_TYPES: Mapping[type, str] = {int: "int64", float: "float64", bool: "bool"}
