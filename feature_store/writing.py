"""Rows of plain values into the online store, without the data frames that Feast's push goes through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from feature_store.catalogue import VIEWS
from feature_store.feast_import import DoubleList, EntityKey, StringList, Value
from feature_store.model import Kind

if TYPE_CHECKING:
    from feature_store.feast_import import FeatureStore
    from feature_store.online_store import GuardedOnlineStore

_MAKE: Mapping[Kind, Callable[[Any], Value]] = {
    Kind.STRING: lambda value: Value(string_val=value),
    Kind.INT64: lambda value: Value(int64_val=value),
    Kind.FLOAT64: lambda value: Value(double_val=value),
    Kind.BOOL: lambda value: Value(bool_val=value),
    Kind.STRINGS: lambda value: Value(string_list_val=StringList(val=value)),
    Kind.FLOATS: lambda value: Value(double_list_val=DoubleList(val=value)),
}


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """One value of a view: its entity in the order of the view's keys, times in milliseconds UTC, and every feature."""

    entity: tuple[str, ...]
    event_ms: int
    known_ms: int
    values: Mapping[str, Any]


class OnlineWriter:
    """Writes views of the catalogue into the online store of `store`, in which they must have been applied."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store
        self._online: GuardedOnlineStore = store._get_provider().online_store
        self._views: dict[str, Any] = {}

    def write(self, name: str, rows: Iterable[OnlineRow]) -> int:
        """Write rows of a view; answers how many. Raises `feature_store.online_store.OnlineWriteFailed`."""
        view, table = VIEWS[name], self._table(name)
        kinds = {feature.name: feature.kind for feature in view.features}
        data = [
            (
                entity_key(view.keys, row.entity),
                {feature: _value(kind, row.values[feature]) for feature, kind in kinds.items()},
                _moment(row.event_ms),
                _moment(row.known_ms),
            )
            for row in rows
        ]
        self._online.online_write_batch(self._store.config, table, data, None)
        return len(data)

    def erase(self, name: str, entities: Iterable[tuple[str, ...]], now_ms: int) -> None:
        """Delete what a view holds of these entities up to now."""
        keys = [entity_key(VIEWS[name].keys, entity) for entity in entities]
        self._online.erase(self._store.config, self._table(name), keys, now_ms)

    def holds(self, name: str, entities: Iterable[tuple[str, ...]]) -> list[bool]:
        """Of each entity whether the view holds a value, however old."""
        keys = [entity_key(VIEWS[name].keys, entity) for entity in entities]
        return self._online.holds(self._store.config, self._table(name), keys)

    def _table(self, name: str) -> Any:
        if name not in self._views:
            self._views[name] = self._store.get_feature_view(name)
        return self._views[name]


def entity_key(keys: tuple[str, ...], entity: tuple[str, ...]) -> EntityKey:
    """Feast's key of an entity."""
    return EntityKey(join_keys=keys, entity_values=[Value(string_val=value) for value in entity])


def _value(kind: Kind, value: Any) -> Value:
    return Value() if value is None else _MAKE[kind](value)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
