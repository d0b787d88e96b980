"""From raw slices to records: decode, judge by the rules, set aside what cannot be used with its reason and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain

import numpy as np
import polars as pl

from schemas.codec import Resolver, Schema, SchemaNotResolved, WriterSchema, resolve_ids
from schemas.frames import DEAD_LETTER_COLUMNS, POSITION_COLUMNS, empty
from schemas.verdicts import READERS, judge
from streams.records import TRANSACTIONS, USER_EVENTS, Range, Records
from streams.slices import Slice


class Intake:
    """Makes `Records` of slices.

    A schema id is asked of `resolver`, which raises when the registry does not answer: that stops the tick, since no
    verdict may depend on a server that was away. Schemas that were found never change; an id without one is asked for
    again.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._schemas: dict[int, Schema] = {}

    def __call__(self, slices: Sequence[Slice]) -> Records:
        """All records of the slices, each good or a dead letter."""
        good = {topic: empty(reader.columns) for topic, reader in READERS.items()}
        dead = [empty(DEAD_LETTER_COLUMNS)]
        for topic in READERS:
            mine = [part for part in slices if part.topic == topic]
            if mine:
                good[topic], refused = self._read(topic, mine)
                dead.append(refused)
        ranges = _ranges(slices)
        return Records(
            ranges,
            good[USER_EVENTS],
            good[TRANSACTIONS],
            pl.concat(dead),
            {topic: frame for topic, frame in good.items() if topic not in {USER_EVENTS, TRANSACTIONS}},
        )

    def _read(self, topic: str, slices: Sequence[Slice]) -> tuple[pl.DataFrame, pl.DataFrame]:
        keys = list(chain.from_iterable(part.keys for part in slices))
        values = list(chain.from_iterable(part.values for part in slices))
        positions = _positions(slices)
        try:
            return judge(topic, positions, keys, values, self._schemas)
        except SchemaNotResolved as unknown:
            found = resolve_ids(unknown.missing, self._resolver)
            self._schemas |= {number: schema for number, schema in found.items() if isinstance(schema, WriterSchema)}
            return judge(topic, positions, keys, values, self._schemas | found)


def _positions(slices: Sequence[Slice]) -> pl.DataFrame:
    """`row`, counted over all slices, and where the record stands in the log."""
    lengths = [len(part.offsets) for part in slices]
    columns = {
        "log_epoch": np.repeat([part.epoch for part in slices], lengths),
        "log_partition": np.repeat([part.partition for part in slices], lengths),
        "log_offset": np.concatenate([part.offsets for part in slices]),
        "append_time": np.concatenate([part.append_times for part in slices]),
    }
    frame = pl.DataFrame(columns)
    return frame.with_columns(pl.col(name).cast(kind) for name, kind in POSITION_COLUMNS.items()).with_row_index("row")


def _ranges(slices: Sequence[Slice]) -> tuple[Range, ...]:
    """One range per partition: its slices follow each other."""
    parts: dict[tuple[str, int], list[Slice]] = {}
    for part in slices:
        parts.setdefault((part.topic, part.partition), []).append(part)
    return tuple(
        Range(
            topic,
            own[0].epoch,
            partition,
            own[0].first_offset,
            own[-1].next_offset,
            _time(own[0].append_times[0]),
            _time(own[-1].append_times[-1]),
        )
        for (topic, partition), own in parts.items()
    )


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
