"""The words of the catalogue: what a feature, a view and a service are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

Value = str | int | float | bool | tuple[str, ...] | tuple[float, ...]
"""What a feature may be; lists are tuples, so that the catalogue cannot change."""


class Kind(StrEnum):
    """Types of features, by the name that Feast gives them."""

    STRING = "String"
    INT64 = "Int64"
    FLOAT64 = "Float64"
    BOOL = "Bool"
    STRINGS = "Array(String)"
    FLOATS = "Array(Float64)"

    @property
    def sql(self) -> str:
        """The column type in ClickHouse; a list is never null, it is empty."""
        return self.value if self.value.startswith("Array") else f"Nullable({self.value})"


class Origin(StrEnum):
    """What makes the values of a view: the nightly recompute, or the stream."""

    BATCH = "batch"
    STREAM = "stream"


@dataclass(frozen=True)
class Feature:
    """One feature. `column` is the expression over the view's rows that gives it; `default` is what a reader takes
    where nothing is known, in training as in serving. `unit` is empty for texts, flags and pure numbers."""

    name: str
    kind: Kind
    meaning: str
    default: Value
    column: str = ""
    unit: str = ""

    @property
    def expression(self) -> str:
        """The source expression, by default the column of the same name."""
        return self.column or self.name


@dataclass(frozen=True)
class View:
    """Features of one entity that are written together. `keys` are join keys; `rows` is the SQL of their history, with
    the columns `event_time` (from when on the value holds) and `created_at` (from when on it was known).

    `freshness` is how old the newest value normally is at most; a value older than `max_age` is not known any more,
    neither to training nor to serving.
    """

    name: str
    keys: tuple[str, ...]
    origin: Origin
    rows: str
    meaning: str
    freshness: timedelta
    max_age: timedelta
    features: tuple[Feature, ...]

    @property
    def defaults(self) -> Mapping[str, Value]:
        """The default of each feature."""
        return {feature.name: feature.default for feature in self.features}

    @property
    def query(self) -> str:
        """The history as Feast reads it: keys as text, features under their names and in their types."""
        keys = [f"toString(source.{key}) AS {key}" for key in self.keys]
        casts = [f"CAST({feature.expression} AS {feature.kind.sql}) AS {feature.name}" for feature in self.features]
        columns = ", ".join([*keys, "source.event_time AS event_time", "source.created_at AS created_at", *casts])
        return f"SELECT {columns} FROM ({self.rows}) AS source"


@dataclass(frozen=True)
class OnDemand:
    """Features computed at the request, by `feature_store.on_demand.<name>`, from `inputs` (view -> features) and from
    what the caller sends (`request`)."""

    name: str
    meaning: str
    inputs: Mapping[str, tuple[str, ...]]
    request: tuple[Feature, ...]
    features: tuple[Feature, ...]


@dataclass(frozen=True)
class Service:
    """The features of one model, pinned by name: view or on-demand view -> features, or () for all of them."""

    name: str
    meaning: str
    takes: Mapping[str, tuple[str, ...]]
