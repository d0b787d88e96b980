"""What one request asks of the online store: views of the same entities together, and rows that are on their way."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from cassandra.cluster import ResponseFuture

from feature_store.feast_import import FeatureView, Map
from feature_store.online_answers import EPOCH, Found

_Stored = tuple[datetime, bytes | None]
"""Event time, of which the driver gives UTC without saying so, and features."""


@dataclass
class Asked:
    """Rows of some views under some keys, asked for and waited for when first looked at."""

    keys: Sequence[str]
    futures: Sequence[ResponseFuture]

    def found(self, view: FeatureView, now: float) -> list[Found]:
        """A view's values in the order of the keys, those that are young enough now (seconds since 1970)."""
        oldest = datetime.fromtimestamp(now, UTC).replace(tzinfo=None) - view.ttl if view.ttl else EPOCH
        return [_value(self._rows.get((key, view.name)), oldest) for key in self.keys]

    @cached_property
    def _rows(self) -> Mapping[tuple[str, str], _Stored]:
        rows = (row for future in self.futures for row in future.result())
        return {(key, view): (event, features) for key, view, event, features in rows}


def entities_of(view: FeatureView) -> Hashable:
    """What two views have in common whose entities are the same ones of a request."""
    return tuple(view.entities), tuple(sorted(view.projection.join_key_map.items()))


def by_entities(views: Iterable[FeatureView]) -> dict[Hashable, list[FeatureView]]:
    """Views that one read answers."""
    found: dict[Hashable, list[FeatureView]] = {}
    for view in views:
        found.setdefault(entities_of(view), []).append(view)
    return found


def _value(stored: _Stored | None, oldest: datetime) -> Found:
    if stored is None or stored[1] is None or stored[0] < oldest:
        return None, None
    return stored[0], Map.FromString(stored[1]).val
