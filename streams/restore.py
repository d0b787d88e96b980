"""Reads back from ClickHouse what the memory does not hold: stored records of both layers below the start of a tick."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from infra.clients.clickhouse import Client, select
from schemas.frames import EVENT_COLUMNS, GROUP, ORDER_GROUP, empty
from schemas.products import WINDOW
from streams import orders, sessions
from streams.index import Words
from streams.known import HASH_SQL
from streams.popularity import WINDOW_COLUMNS, WINDOW_KEYS, count_windows

KEYS_PER_QUERY = 50_000

_EVENT_TABLES = ("events_speed", "events_cold", "batch_events")
_ORDER_TABLES = ("orders_speed", "orders_cold", "batch_orders")
_WINDOW_TABLES = ("events_speed", "batch_events")
_WINDOW_EVENT_COLUMNS = {
    name: EVENT_COLUMNS[name]
    for name in (
        "tenant_id",
        "log_epoch",
        "log_partition",
        "log_offset",
        "product_id",
        "event_type",
        "event_time",
        "append_time",
    )
}


class History:
    """Stored records, each once by its position. Every table of events is a source: used in one is used in all."""

    def __init__(self, client: Client, horizon_days: int) -> None:
        self._client = client
        self._horizon_days = horizon_days

    def events(self, groups: pl.DataFrame, below: Mapping[int, int]) -> pl.DataFrame:
        """All stored events (`streams.sessions.STATE_COLUMNS`) of the groups (`GROUP`) of these rows, of any day."""
        groups = groups.select(GROUP).unique(maintain_order=True)
        parts = [
            self._read(_EVENT_TABLES, sessions.STATE_COLUMNS, "(tenant_id, session_id) IN %(keys)s", {"keys": keys})
            for keys in _chunks(groups, ("tenant_id", "session_id"))
        ]
        return _known(parts, sessions.STATE_COLUMNS, groups, GROUP, below)

    def orders(self, transactions: pl.DataFrame, below: Mapping[int, int]) -> pl.DataFrame:
        """All stored facts (`streams.orders.STATE_COLUMNS`) of the transactions (`ORDER_GROUP`) of these rows."""
        transactions = transactions.select(ORDER_GROUP).unique(maintain_order=True)
        parts = [
            self._read(_ORDER_TABLES, orders.STATE_COLUMNS, "(tenant_id, transaction_id) IN %(keys)s", {"keys": keys})
            for keys in _chunks(transactions, ("tenant_id", "transaction_id"))
        ]
        return _known(parts, orders.STATE_COLUMNS, transactions, ORDER_GROUP, below)

    def windows(self, windows: pl.DataFrame, below: Mapping[int, int]) -> pl.DataFrame:
        """Counts (`WINDOW_COLUMNS`) of these windows (`WINDOW_KEYS`), from stored events in time for their day."""
        in_time = "toDate(append_time) <= day + %(horizon)s"
        span = "event_time >= fromUnixTimestamp64Milli(%(since)s) AND event_time < fromUnixTimestamp64Milli(%(until)s)"
        where = f"(tenant_id, product_id) IN %(keys)s AND day IN %(days)s AND {span} AND {in_time}"
        starts = windows["window_start"].dt.timestamp("ms").to_numpy()
        known = {
            "days": windows["day"].unique().to_list(),
            "since": int(starts.min()),
            "until": int(starts.max()) + WINDOW // timedelta(milliseconds=1),
            "horizon": self._horizon_days,
        }
        parts = [
            self._read(
                _WINDOW_TABLES,
                _WINDOW_EVENT_COLUMNS,
                where,
                {"keys": keys, **known},
            )
            for keys in _chunks(windows, ("tenant_id", "product_id"))
        ]
        stored = _below(pl.concat(parts), below) if parts else empty(_WINDOW_EVENT_COLUMNS)
        return count_windows(stored)[0].join(windows, on=WINDOW_KEYS, how="semi").select(*WINDOW_COLUMNS)

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
        return self._read(_EVENT_TABLES, sessions.STATE_COLUMNS, recent, parameters)

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
        return self._read(_EVENT_TABLES, sessions.STATE_COLUMNS, old, parameters)

    def _hashes(self, tables: tuple[str, ...], entity: str, partitions: Collection[int]) -> Words:
        found = HASH_SQL.format(tenant="tenant_id", entity=entity)
        each = f"SELECT DISTINCT {found} AS hash FROM {{}} WHERE log_partition IN %(partitions)s"
        union = " UNION DISTINCT ".join(each.format(table) for table in tables)
        rows = select(self._client, union, {"hash": pl.UInt64()}, {"partitions": list(partitions)})
        return rows["hash"].to_numpy().astype(np.uint64)

    def _read(
        self, tables: tuple[str, ...], columns: Mapping[str, pl.DataType], where: str, parameters: dict[str, object]
    ) -> pl.DataFrame:
        wanted = ", ".join(columns)
        union = " UNION ALL ".join(f"SELECT {wanted} FROM {table} WHERE {where}" for table in tables)
        once = "log_epoch, log_partition, log_offset"
        return select(self._client, f"SELECT * FROM ({union}) LIMIT 1 BY {once}", columns, parameters)


def _chunks(keys: pl.DataFrame, columns: tuple[str, str]) -> Iterator[list[tuple[str, str]]]:
    for part in keys.select(columns).unique().iter_slices(KEYS_PER_QUERY):
        yield part.rows()


def _known(
    parts: list[pl.DataFrame],
    columns: Mapping[str, pl.DataType],
    wanted: pl.DataFrame,
    keys: tuple[str, ...],
    below: Mapping[int, int],
) -> pl.DataFrame:
    if not parts:
        return empty(columns)
    return _below(pl.concat(parts), below).join(wanted, on=keys, how="semi")


def _below(stored: pl.DataFrame, below: Mapping[int, int]) -> pl.DataFrame:
    """Rows of the tick's partitions below its start. What lies past it is applied again from the log."""
    starts = pl.DataFrame(
        {"log_partition": list(below), "start": list(below.values())},
        schema={"log_partition": pl.Int32, "start": pl.Int64},
    )
    return stored.join(starts, on="log_partition").filter(pl.col("log_offset") < pl.col("start")).drop("start")
