"""The tables of the lake: columns, the day they are partitioned by, and the one writer of each.

The Arrow form of a table differs from the frames that the layers exchange in three ways: times carry microseconds, as
Iceberg's do, maps are maps, and `day` is added.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from schemas.frames import (
    DEAD_LETTER_COLUMNS,
    EVENT_COLUMNS,
    INVENTORY_COLUMNS,
    ORDER_COLUMNS,
    PROFILE_COLUMNS,
    SIGNAL_COLUMNS,
    STRING_MAP,
    TICKET_COLUMNS,
)

ARROW_MAP = pa.map_(pa.string(), pa.string())
ARROW_ENTRIES = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))


@dataclass(frozen=True)
class LakeTable:
    """One table of the lake."""

    name: str
    columns: dict[str, pl.DataType]
    """The frame that it stores."""
    day_of: str
    """The time column whose UTC day is the row's; `day` where the frame names the day itself."""
    writer: str
    meaning: str

    @property
    def frame_schema(self) -> dict[str, pl.DataType]:
        """The columns of the frame, and `day`."""
        return {**self.columns, "day": pl.Date()}

    @property
    def arrow_schema(self) -> pa.Schema:
        """What Spark and Iceberg hold of the table."""
        return pa.schema([(name, _arrow_type(kind)) for name, kind in self.frame_schema.items()])


EVENTS = LakeTable("events", EVENT_COLUMNS, "event_time", "batch.land", "Every usable UserEvent, at least once.")
TRANSACTIONS = LakeTable(
    "transactions", ORDER_COLUMNS, "order_time", "batch.land", "Every usable Transaction, at least once."
)
DEAD_LETTERS = LakeTable(
    "dead_letters",
    DEAD_LETTER_COLUMNS,
    "append_time",
    "batch.land",
    "Every record that could not be used, with its bytes.",
)
PROFILES = LakeTable(
    "profiles", PROFILE_COLUMNS, "updated_at", "batch.land", "Every usable UserProfile; the newest of a user counts."
)
INVENTORY = LakeTable(
    "inventory",
    INVENTORY_COLUMNS,
    "updated_at",
    "batch.land",
    "Every usable InventoryUpdate; the newest of a product and warehouse counts.",
)
TICKETS = LakeTable(
    "tickets", TICKET_COLUMNS, "updated_at", "batch.land", "Every usable ServiceTicket; the newest of a ticket counts."
)
SIGNALS = LakeTable(
    "signals",
    SIGNAL_COLUMNS,
    "observed_at",
    "batch.land",
    "Every usable ExternalSignal; of a figure the last counts.",
)
LAKE_TABLES = (
    EVENTS,
    TRANSACTIONS,
    DEAD_LETTERS,
    PROFILES,
    INVENTORY,
    TICKETS,
    SIGNALS,
)


def to_arrow(frame: pl.DataFrame, table: LakeTable) -> pa.Table:
    """The rows of a frame in the table's Arrow form."""
    day = pl.col("day") if table.day_of == "day" else pl.col(table.day_of).dt.date()
    rows = frame.with_columns(day=day).select(list(table.frame_schema)).to_arrow(compat_level=pl.CompatLevel.oldest())
    columns = [_to_lake(rows[field.name].combine_chunks(), field.type) for field in table.arrow_schema]
    return pa.table(columns, schema=table.arrow_schema)


def from_arrow(rows: pa.Table, columns: dict[str, pl.DataType]) -> pl.DataFrame:
    """Rows of a lake table as the frame that the layers exchange; `columns` names and types the result."""
    kept = [_from_lake(rows[name], kind) for name, kind in columns.items()]
    frame = pl.from_arrow(pa.table(kept, names=list(columns)))
    if not isinstance(frame, pl.DataFrame):  # pragma: no cover - polars types from_arrow by its input, a table
        raise TypeError(type(frame))
    return frame.select(pl.col(name).cast(kind) for name, kind in columns.items())


def _arrow_type(kind: pl.DataType) -> pa.DataType:
    if kind == STRING_MAP:
        return ARROW_MAP
    return _narrow(pl.Series(dtype=kind).to_arrow(compat_level=pl.CompatLevel.oldest()).type)


def _narrow(kind: pa.DataType) -> pa.DataType:
    """Arrow's type with 32-bit offsets and microseconds, which all readers of the lake know."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    if pa.types.is_large_list(kind):
        return pa.list_(_narrow(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _narrow(field.type)) for field in kind.fields])
    return {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(kind, kind)


def _to_lake(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if kind != ARROW_MAP:
        return column.cast(kind)
    lists = column.cast(ARROW_ENTRIES)
    return pa.MapArray.from_arrays(lists.offsets, lists.values.field("key"), lists.values.field("value"))


def _from_lake(column: pa.ChunkedArray, kind: pl.DataType) -> pa.ChunkedArray:
    return column.cast(ARROW_ENTRIES) if kind == STRING_MAP else column
