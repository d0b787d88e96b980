"""Reads back from ClickHouse what the memory does not hold: stored records of both layers below the start of a tick."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

import numpy as np
import polars as pl

from infra.clients.clickhouse import Client, select
from schemas.frames import GROUP, ORDER_GROUP, empty
from streams import orders, sessions
from streams.index import Words
from streams.known import HASH_SQL

KEYS_PER_QUERY = 50_000

_EVENT_TABLES = ("events_speed", "events_cold", "batch_events")
_ORDER_TABLES = ("orders_speed", "orders_cold", "batch_orders")


class History:
    """Stored records, each once by its position. Every table of events is a source: used in one is used in all."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def events(self, groups: pl.DataFrame, below: Mapping[int, int]) -> pl.DataFrame:
        """All stored events (`streams.sessions.STATE_COLUMNS`) of the groups (`GROUP`) of these rows, of any day."""
        return self._whole(groups, GROUP, _EVENT_TABLES, sessions.STATE_COLUMNS, below)

    def orders(self, transactions: pl.DataFrame, below: Mapping[int, int]) -> pl.DataFrame:
        """All stored facts (`streams.orders.STATE_COLUMNS`) of the transactions (`ORDER_GROUP`) of these rows."""
        return self._whole(transactions, ORDER_GROUP, _ORDER_TABLES, orders.STATE_COLUMNS, below)

    def stored_sessions(self, partitions: Collection[int]) -> Words:
        """The hash (`streams.known`) of every session id that the partitions have a stored event of."""
        return self._hashes(_EVENT_TABLES, "session_id", partitions)

    def stored_orders(self, partitions: Collection[int]) -> Words:
        """The hash of every transaction id that the partitions have a stored fact of."""
        return self._hashes(_ORDER_TABLES, "transaction_id", partitions)

    def open_groups(self, partition: int, since: datetime, below: int, limit: int) -> pl.DataFrame:
        """Stored events (`streams.sessions.STATE_COLUMNS`) of groups with an event at or after `since`.

        One partition; all events of the group below the offset; at most so many groups, those with the latest events.
        """
        recent = (
            "(tenant_id, session_id) IN (SELECT tenant_id, session_id FROM events_speed"
            " WHERE day >= %(day)s AND log_partition = %(partition)s AND log_offset < %(below)s"
            " AND event_time >= %(since)s GROUP BY tenant_id, session_id ORDER BY max(event_time) DESC LIMIT %(limit)s)"
            " AND log_partition = %(partition)s AND log_offset < %(below)s"
        )
        parameters: dict[str, object] = {
            "day": since.date(),
            "since": since,
            "partition": partition,
            "below": below,
            "limit": limit,
        }
        return once(self._client, _EVENT_TABLES, sessions.STATE_COLUMNS, recent, parameters)

    def groups_of_other_rules(self, definition: str, epoch: int, partition: int, part: int, parts: int) -> pl.DataFrame:
        """Stored events (`streams.sessions.STATE_COLUMNS`) of a share of the groups with a row by other rules."""
        share = "cityHash64(tenant_id, session_id) %% %(parts)s = %(part)s"
        old = (
            f"{share} AND (tenant_id, session_id) IN (SELECT tenant_id, session_id FROM speed_sessions FINAL"
            " WHERE definition != %(definition)s AND log_epoch = %(epoch)s AND log_partition = %(partition)s)"
            " AND log_epoch = %(epoch)s AND log_partition = %(partition)s"
        )
        parameters: dict[str, object] = {
            "definition": definition,
            "epoch": epoch,
            "partition": partition,
            "part": part,
            "parts": parts,
        }
        return once(self._client, _EVENT_TABLES, sessions.STATE_COLUMNS, old, parameters)

    def _whole(
        self,
        wanted: pl.DataFrame,
        group: tuple[str, ...],
        tables: tuple[str, ...],
        columns: Mapping[str, pl.DataType],
        below: Mapping[int, int],
    ) -> pl.DataFrame:
        """All stored records, below the start of the tick, of the groups of these rows."""
        tenant, entity = group[:2]
        groups = wanted.select(group).unique(maintain_order=True)
        parts = [
            once(self._client, tables, columns, f"({tenant}, {entity}) IN %(keys)s", {"keys": keys})
            for keys in chunks(groups, (tenant, entity))
        ]
        return below_start(pl.concat([empty(columns), *parts]), below).join(groups, on=group, how="semi")

    def _hashes(self, tables: tuple[str, ...], entity: str, partitions: Collection[int]) -> Words:
        found = HASH_SQL.format(tenant="tenant_id", entity=entity)
        each = f"SELECT DISTINCT {found} AS hash FROM {{}} WHERE log_partition IN %(partitions)s"
        union = " UNION DISTINCT ".join(each.format(table) for table in tables)
        rows = select(self._client, union, {"hash": pl.UInt64()}, {"partitions": list(partitions)})
        return rows["hash"].to_numpy().astype(np.uint64)


def once(
    client: Client,
    tables: tuple[str, ...],
    columns: Mapping[str, pl.DataType],
    where: str,
    parameters: Mapping[str, object],
) -> pl.DataFrame:
    """The stored records of some tables, each once by its position."""
    wanted = ", ".join(columns)
    union = " UNION ALL ".join(f"SELECT {wanted} FROM {table} WHERE {where}" for table in tables)
    position = "log_epoch, log_partition, log_offset"
    return select(client, f"SELECT * FROM ({union}) LIMIT 1 BY {position}", columns, parameters)


def chunks(keys: pl.DataFrame, columns: tuple[str, str]) -> Iterator[list[tuple[str, str]]]:
    """The distinct keys, no more at a time than one query takes."""
    for part in keys.select(columns).unique().iter_slices(KEYS_PER_QUERY):
        yield part.rows()


def below_start(stored: pl.DataFrame, below: Mapping[int, int]) -> pl.DataFrame:
    """Rows of the tick's partitions below its start. What lies past it is applied again from the log."""
    starts = pl.DataFrame(
        {"log_partition": list(below), "start": list(below.values())},
        schema={"log_partition": pl.Int32, "start": pl.Int64},
    )
    return stored.join(starts, on="log_partition").filter(pl.col("log_offset") < pl.col("start")).drop("start")
