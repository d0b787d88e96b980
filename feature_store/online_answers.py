"""From rows of the online store to Feast's response, column by column.

The values, statuses and times are those that Feast's own loop gives; it copies them one by one, which for a hundred
entities takes longer than reading them does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from feature_store.feast_import import (
    FeatureVector,
    FeatureView,
    FieldStatus,
    GetOnlineFeaturesResponse,
    Map,
    OnlineResponse,
    Value,
    ValueType,
    feast_value_type_to_python_type,
    track_feature_statuses,
    utils,
)

Found = tuple[datetime | None, Mapping[str, Value] | None]
"""A view's value of an entity, with its event time in UTC; None and None where there is none."""

EPOCH = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
"""Without a zone, as the driver gives times; they are UTC."""
_NOTHING: Mapping[str, Value] = Map().val
_NULL = Value()
_PLAIN = frozenset({"string_val", "int64_val", "double_val", "bool_val", "int32_val", "float_val"})
_PLAIN_TYPES = (None, ValueType.STRING, ValueType.INT64, ValueType.DOUBLE, ValueType.BOOL)
_STATUS = (FieldStatus.NOT_FOUND, FieldStatus.PRESENT)


class ColumnResponse(OnlineResponse):  # type: ignore[misc]  # feast is untyped
    """Feast's response, which finds numbers and texts without asking of each whether it is a collection."""

    def to_dict(self, include_event_timestamps: bool = False) -> dict[str, Any]:
        """As Feast's."""
        if include_event_timestamps:
            found: dict[str, Any] = super().to_dict(include_event_timestamps)
            return found
        columns = zip(self.proto.metadata.feature_names.val, self.proto.results, strict=True)
        return {name: _python_values(vector.values, self._feature_types.get(name)) for name, vector in columns}


def fill(
    response: GetOnlineFeaturesResponse,
    table: FeatureView,
    names: Sequence[str],
    found: Sequence[Found],
    places: Iterable[Sequence[int]],
    length: int,
    full_feature_names: bool,
    include_feature_view_version_metadata: bool,
) -> None:
    """What `feast.utils._populate_response_from_feature_data` does, which still names the columns and the version."""
    utils._populate_response_from_feature_data(
        names, (), (), response, full_feature_names, table, 0, include_feature_view_version_metadata
    )
    rows: list[Found] = [(None, None)] * length
    for one, destinations in zip(found, places, strict=True):
        for place in destinations:
            rows[place] = one
    times = _times(event for event, _ in rows)
    maps = [_NOTHING if values is None else values for _, values in rows]
    present = 0
    for name, vector in zip(names, response.results[-len(names) :] if names else (), strict=True):
        values = [one.get(name, _NULL) for one in maps]
        there = [value is not _NULL for value in values]
        vector.MergeFromString(times)
        vector.values.extend(values)
        vector.statuses.extend([_STATUS[one] for one in there])
        present += sum(there)
    track_feature_statuses(table.name, present, len(names) * length - present)


def _times(events: Iterable[datetime | None]) -> bytes:
    """The event times that all columns of a view share, encoded once."""
    column = FeatureVector()
    for event in events:
        since = (EPOCH if event is None else event.replace(tzinfo=None)) - EPOCH
        column.event_timestamps.add(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)
    encoded: bytes = column.SerializeToString()
    return encoded


def _python_values(values: Sequence[Value], kind: ValueType | None) -> list[Any]:
    if kind not in _PLAIN_TYPES:
        return [feast_value_type_to_python_type(value, kind) for value in values]
    return [
        getattr(value, field)
        if (field := value.WhichOneof("val")) in _PLAIN
        else feast_value_type_to_python_type(value, kind)
        for value in values
    ]
