"""Reads back from ClickHouse what the memory does not hold: stored records of both layers below the start of a tick."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from infra.clients.clickhouse import Client, select
from schemas.frames import GROUP, ORDER_GROUP, empty, milliseconds
from streams import orders, sessions
from streams.known import HASH_SQL
from streams.table import Words

KEYS_PER_QUERY = 50_000
GROUPS_PER_QUERY = 50_000

_EVENT_TABLES = ("events_speed", "events_cold", "batch_events")
_ORDER_TABLES = ("orders_speed", "orders_cold", "batch_orders")

_OF_ITS_PARTITION = "arrayElement(%({})s, indexOf(%(partitions)s, log_partition))"
"""What a parameter, a list, says of the partition of a row."""

_TIME = "toUnixTimestamp64Milli(event_time)"
_WANTED = (
    f"log_partition IN %(partitions)s AND log_epoch = {_OF_ITS_PARTITION.format('epochs')}"
    f" AND log_offset < {_OF_ITS_PARTITION.format('below')}"
)
_RECENT = f"day >= %(day)s AND {_WANTED} AND {_TIME} >= {_OF_ITS_PARTITION.format('since')}"
_BOUNDS = f"""
SELECT tenant_id, session_id, oldest FROM (
    SELECT tenant_id, session_id, min(latest) OVER () AS oldest,
        row_number() OVER (ORDER BY tenant_id, session_id) AS number
    FROM (
        SELECT tenant_id, session_id, max({_TIME}) AS latest FROM events_speed WHERE {_RECENT}
        GROUP BY tenant_id, session_id ORDER BY latest DESC LIMIT %(limit)s
    )
) WHERE (number - 1) %% %(at_once)s = 0 ORDER BY number
"""
"""Every so manieth open group, from the first on, and the time of the oldest of their latest events."""

_BOUND_COLUMNS: dict[str, pl.DataType] = {"tenant_id": pl.String(), "session_id": pl.String(), "oldest": pl.Int64()}
_FROM = "(tenant_id > %(tenant)s OR tenant_id = %(tenant)s AND session_id >= %(session)s)"
_BELOW = "(tenant_id < %(end_tenant)s OR tenant_id = %(end_tenant)s AND session_id < %(end_session)s)"
_RANGE = ("tenant", "session", "end_tenant", "end_session")


@dataclass(frozen=True)
class Assigned:
    """A partition whose open groups are read back: those with events from `since` on, of events `below` an offset."""

    epoch: int
    partition: int
    since: datetime
    below: int


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

    def open_groups(self, partitions: Sequence[Assigned], limit: int) -> Iterator[pl.DataFrame]:
        """Stored events (`streams.sessions.STATE_COLUMNS`) of groups with an event at or after `since`.

        Whole groups, some ten thousand at a time: in the order of the table, so that each part of it is read once. At
        most about `limit` groups, those with the latest events.
        """
        parameters = {**_parameters(partitions), "limit": limit, "at_once": GROUPS_PER_QUERY}
        bounds = select(self._client, _BOUNDS, _BOUND_COLUMNS, parameters)
        parameters["oldest"] = bounds["oldest"].min()
        firsts = bounds.select("tenant_id", "session_id").rows()
        for first, end in zip(firsts, [*firsts[1:], None], strict=False):
            within = _FROM if end is None else f"{_FROM} AND {_BELOW}"
            names = dict(zip(_RANGE, [*first, *(end or ())], strict=False))
            is_open = (
                f"{within} AND {_WANTED} AND (tenant_id, session_id) IN (SELECT tenant_id, session_id FROM events_speed"
                f" WHERE {within} AND {_RECENT} AND {_TIME} >= %(oldest)s)"
            )
            yield once(self._client, _EVENT_TABLES, sessions.STATE_COLUMNS, is_open, {**parameters, **names})

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
        where = of_keys(tenant, entity)
        parts = by_keys(groups, (tenant, entity), lambda keys: once(self._client, tables, columns, where, keys))
        return below_start(pl.concat([empty(columns), *parts]), below).join(groups, on=group, how="semi")

    def _hashes(self, tables: tuple[str, ...], entity: str, partitions: Collection[int]) -> Words:
        found = HASH_SQL.format(tenant="tenant_id", entity=entity)
        each = f"SELECT DISTINCT {found} AS hash FROM {{}} WHERE log_partition IN %(partitions)s"
        union = " UNION DISTINCT ".join(each.format(table) for table in tables)
        rows = select(self._client, union, {"hash": pl.UInt64()}, {"partitions": list(partitions)})
        return rows["hash"].to_numpy().astype(np.uint64)


def _parameters(partitions: Sequence[Assigned]) -> dict[str, object]:
    return {
        "partitions": [each.partition for each in partitions],
        "epochs": [each.epoch for each in partitions],
        "below": [each.below for each in partitions],
        "since": [milliseconds(each.since) for each in partitions],
        "day": min(each.since for each in partitions).date(),
    }


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


def of_keys(tenant: str, entity: str) -> str:
    """The condition for the keys that `by_keys` gives: it is also true of other pairs of the same tenants and entities.

    Of some 30,000 pairs in a list and more ClickHouse 26.9 looks at each for every block that it reads: that took
    minutes, where two lists take a second.
    """
    return f"{tenant} IN %(tenants)s AND {entity} IN %(entities)s"


def by_keys(
    keys: pl.DataFrame,
    columns: tuple[str, str],
    ask: Callable[[Mapping[str, object]], pl.DataFrame],
    at_once: int = KEYS_PER_QUERY,
) -> list[pl.DataFrame]:
    """The rows of the distinct keys, and of no others, `at_once` keys in a query.

    `ask` gets the parameters of `of_keys`; what it returns has the `columns`, a tenant and an entity.
    """
    return [
        ask({"tenants": part[columns[0]].unique().to_list(), "entities": part[columns[1]].unique().to_list()}).join(
            part, on=columns, how="semi"
        )
        for part in keys.select(columns).unique().iter_slices(at_once)
    ]


def below_start(stored: pl.DataFrame, below: Mapping[int, int]) -> pl.DataFrame:
    """Rows of the tick's partitions below its start. What lies past it is applied again from the log."""
    starts = pl.DataFrame(
        {"log_partition": list(below), "start": list(below.values())},
        schema={"log_partition": pl.Int32, "start": pl.Int64},
    )
    return stored.join(starts, on="log_partition").filter(pl.col("log_offset") < pl.col("start")).drop("start")
