"""What becomes of the records of a topic: rows that can be used, or dead letters with their reason and bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from schemas.codec import (
    Decoded,
    Schemas,
    decode_external_signals,
    decode_inventory_updates,
    decode_service_tickets,
    decode_transactions,
    decode_user_events,
    decode_user_profiles,
    decode_user_sightings,
)
from schemas.frames import (
    DEAD_LETTER_COLUMNS,
    EVENT_COLUMNS,
    INVENTORY_COLUMNS,
    ORDER_COLUMNS,
    PROFILE_COLUMNS,
    SIGHTED_COLUMNS,
    SIGNAL_COLUMNS,
    TICKET_COLUMNS,
    empty,
)
from schemas.rules import Rule, apply, rules_for
from schemas.topics import (
    EXTERNAL_SIGNALS,
    INVENTORY_UPDATES,
    SERVICE_TICKETS,
    TRANSACTIONS,
    USER_EVENTS,
    USER_PROFILES,
    USER_SIGHTINGS,
)


@dataclass(frozen=True)
class TopicReader:
    """How the records of one topic are read: its decoder, the rules of its subject, and the frame that comes out."""

    decode: Callable[[Sequence[bytes | None], Schemas], Decoded]
    rules: tuple[Rule, ...]
    columns: dict[str, pl.DataType]
    time: str
    """The column that says when the fact happened, or from when on the state is true."""


READERS: Mapping[str, TopicReader] = {
    USER_EVENTS.name: TopicReader(decode_user_events, rules_for("user-event"), EVENT_COLUMNS, "event_time"),
    TRANSACTIONS.name: TopicReader(decode_transactions, rules_for("transaction"), ORDER_COLUMNS, "order_time"),
    USER_PROFILES.name: TopicReader(decode_user_profiles, rules_for("user-profile"), PROFILE_COLUMNS, "updated_at"),
    INVENTORY_UPDATES.name: TopicReader(
        decode_inventory_updates, rules_for("inventory-update"), INVENTORY_COLUMNS, "updated_at"
    ),
    SERVICE_TICKETS.name: TopicReader(
        decode_service_tickets, rules_for("service-ticket"), TICKET_COLUMNS, "updated_at"
    ),
    EXTERNAL_SIGNALS.name: TopicReader(
        decode_external_signals, rules_for("external-signal"), SIGNAL_COLUMNS, "observed_at"
    ),
    USER_SIGHTINGS.name: TopicReader(decode_user_sightings, (), SIGHTED_COLUMNS, "timestamp"),
}
"""Topic -> reader, for every topic that the speed layer reads: facts first, then states, then its own."""

STATE_TOPICS = (USER_PROFILES.name, INVENTORY_UPDATES.name, SERVICE_TICKETS.name, EXTERNAL_SIGNALS.name)
"""The topics of `READERS` whose records say what is true from a time on, until a newer record of the key."""


def judge(
    topic: str,
    positions: pl.DataFrame,
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    schemas: Schemas,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(usable rows, dead letters) of the records.

    `positions` has a row per record: `row`, its index in `keys` and `values` (u32), and the position columns. `schemas`
    answers for every schema id in `values`, else SchemaNotResolved is raised.
    """
    reader = READERS[topic]
    decoded = reader.decode(values, schemas)
    good, broken = apply(reader.rules, _placed(decoded.frame, positions))
    rejects = pl.concat([decoded.rejects, broken.select("row", "reason", "message")])
    return good.select(*reader.columns), _dead_letters(topic, rejects, positions, keys, values)


def _placed(frame: pl.DataFrame, positions: pl.DataFrame) -> pl.DataFrame:
    """The frame with the positions of its rows."""
    is_whole = frame.height == positions.height and frame["row"].is_sorted()
    chosen = positions if is_whole else positions[frame["row"]]
    return frame.hstack(chosen.drop("row"))


def _dead_letters(
    topic: str,
    rejects: pl.DataFrame,
    positions: pl.DataFrame,
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
) -> pl.DataFrame:
    if not rejects.height:
        return empty(DEAD_LETTER_COLUMNS)
    rows = rejects["row"].to_list()
    raw = rejects.with_columns(
        topic=pl.lit(topic),
        key=pl.Series([keys[row] for row in rows], dtype=pl.Binary),
        value=pl.Series([values[row] for row in rows], dtype=pl.Binary),
    )
    return _placed(raw, positions).select(*DEAD_LETTER_COLUMNS)
