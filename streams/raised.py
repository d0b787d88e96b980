"""Which alerts were raised below the start of a tick: those that the worker remembers, and those that are stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from infra.clients.clickhouse import Client, select
from schemas.alerts import ALERT_COLUMNS
from streams.known import HASH_SQL, Known, entity_hash
from streams.records import Range

_FILTER_BITS = 24
_MOST = 200_000
"""Alerts in memory; over it all leave, and are asked for again when they are found again."""
_COLUMNS = {name: ALERT_COLUMNS[name] for name in ("alert_id", "log_topic", "log_epoch", "log_partition", "as_of")}
_STORED = f"SELECT {', '.join(_COLUMNS)} FROM speed_alerts WHERE alert_id IN %(ids)s AND day IN %(days)s"
_HASHES = f"SELECT DISTINCT {HASH_SQL.format(tenant='tenant_id', entity='alert_id')} AS hash FROM speed_alerts"


class Raised:
    """A cache of `speed_alerts`, which may be dropped between ticks at any time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.forget()

    def forget(self) -> None:
        """Drops all: the next tick may begin below what was raised."""
        self._ids: set[str] = set()
        self._known: Known | None = None

    def new(self, found: pl.DataFrame, ranges: Sequence[Range]) -> pl.DataFrame:
        """Those of the alerts (`ALERT_COLUMNS`) that were not completed below the start of the tick."""
        found = found.filter(pl.Series([each not in self._ids for each in found["alert_id"]], dtype=pl.Boolean))
        perhaps = found.filter(pl.Series(self._stored().may_hold(_hashes(found))))
        return found.filter(~pl.col("alert_id").is_in(self._below_start(perhaps, ranges))) if perhaps.height else found

    def take_in(self, alerts: pl.DataFrame) -> None:
        """Remembers what a written tick raised. Asks nothing of the store: it must not fail, since all is written."""
        if self._known is not None:
            self._known.add(_hashes(alerts))
        self._ids |= set(alerts["alert_id"])
        if len(self._ids) > _MOST:
            self._ids = set()

    def _stored(self) -> Known:
        if self._known is None:
            hashes = select(self._client, _HASHES, {"hash": pl.UInt64()})["hash"]
            self._known = Known(_FILTER_BITS)
            self._known.add(hashes.to_numpy().astype(np.uint64))
        return self._known

    def _below_start(self, alerts: pl.DataFrame, ranges: Sequence[Range]) -> list[str]:
        parameters = {"ids": alerts["alert_id"].to_list(), "days": alerts["day"].unique().to_list()}
        stored = select(self._client, _STORED, _COLUMNS, parameters)
        starts = {(tick.topic, tick.partition): tick.first for tick in ranges}
        return [
            row["alert_id"]
            for row in stored.iter_rows(named=True)
            if row["as_of"] < starts.get((row["log_topic"], row["log_partition"]), 0)
        ]


def _hashes(alerts: pl.DataFrame) -> np.ndarray:
    return entity_hash(alerts["tenant_id"], alerts["alert_id"])
