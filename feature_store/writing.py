"""Rows of plain values into the online store, without the data frames that Feast's push goes through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from feature_store.catalogue import VIEWS
from feature_store.entity_keys import key_of
from feature_store.online_rows import OnlineValue, of_values

if TYPE_CHECKING:
    from feature_store.feast_import import FeatureStore
    from feature_store.online_store import GuardedOnlineStore

_KINDS = {name: {feature.name: feature.kind for feature in view.features} for name, view in VIEWS.items()}


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
        """Write rows of a view; answers how many. Raises as `write_views`."""
        return self.write_views((name, row) for row in rows)

    def write_views(self, rows: Iterable[tuple[str, OnlineRow]]) -> int:
        """Write rows, each with the name of its view, those of one entity best one after the other; answers how many.

        Raises `feature_store.online_store.OnlineWriteFailed` and `FutureEvent`.
        """
        values = [self._value(name, row) for name, row in rows]
        self._online.write(self._store.config, values)
        return len(values)

    def erase(self, name: str, entities: Iterable[tuple[str, ...]], now_ms: int) -> None:
        """Delete what a view holds of these entities up to now."""
        self._online.erase(self._store.config, self._view(name), _keys(name, entities), now_ms)

    def holds(self, name: str, entities: Iterable[tuple[str, ...]]) -> list[bool]:
        """Of each entity whether the view holds a value, however old."""
        return self._online.holds(self._store.config, self._view(name), _keys(name, entities))

    def _value(self, name: str, row: OnlineRow) -> OnlineValue:
        key, features = key_of(VIEWS[name].keys, row.entity), of_values(_KINDS[name], row.values)
        return OnlineValue(self._view(name), key, _moment(row.event_ms), _moment(row.known_ms), features)

    def _view(self, name: str) -> Any:
        if name not in self._views:
            self._views[name] = self._store.get_feature_view(name)
        return self._views[name]


def _keys(name: str, entities: Iterable[tuple[str, ...]]) -> list[str]:
    return [key_of(VIEWS[name].keys, entity) for entity in entities]


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
