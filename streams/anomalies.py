"""Alerts of the speed layer: the rules of `schemas.anomalies` on what a tick brings and what went before.

What a rule knows of earlier records is read back from stored rows below the start of the tick; the memory is a cache of
it. An alert that was completed below the start is stored and confirmed, so it is not raised again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from infra.clients.clickhouse import Client, select
from schemas.alerts import ALERT_COLUMNS, AlertRules, alerts
from schemas.anomalies import addresses, clicks, purchases
from schemas.frames import SIGHTED_COLUMNS, empty
from schemas.topics import USER_SIGHTINGS
from streams import traffic
from streams.records import USER_EVENTS, Range, Records

_KEYS_PER_QUERY = 5_000
_RECENT = 500_000
"""Sightings that are remembered as sent; of one that is forgotten an equal one is sent again."""

_CLICKS = f"""
SELECT {", ".join(clicks.CLICK_COLUMNS)} FROM events_speed
WHERE event_type = 'click' AND log_epoch = %(epoch)s AND log_partition = %(partition)s AND log_offset < %(start)s
    AND append_time >= fromUnixTimestamp64Milli(%(since)s)
LIMIT 1 BY log_offset
"""
_PURCHASES = " UNION ALL ".join(
    f"SELECT {', '.join(purchases.PURCHASE_COLUMNS)} FROM {table}"
    " WHERE (tenant_id, user_id) IN %(keys)s AND status = 'completed'"
    " AND order_time >= fromUnixTimestamp64Milli(%(since)s) AND day >= toDate(fromUnixTimestamp64Milli(%(since)s))"
    for table in ("orders_speed", "orders_cold", "batch_orders")
)
_SIGHTED = {name: addresses.SIGHTING_COLUMNS[name] for name in (*addresses.PERSON, "ip", "session_id", "timestamp")}
_SIGHTINGS = f"""
SELECT DISTINCT {", ".join(_SIGHTED)} FROM speed_sightings
WHERE (tenant_id, user_id) IN %(keys)s
    AND timestamp BETWEEN fromUnixTimestamp64Milli(%(since)s) AND fromUnixTimestamp64Milli(%(until)s)
"""
_RAISED_COLUMNS = {name: ALERT_COLUMNS[name] for name in ("alert_id", "log_epoch", "log_partition", "as_of")}
_RAISED = f"SELECT {', '.join(_RAISED_COLUMNS)} FROM speed_alerts WHERE alert_id IN %(ids)s AND day IN %(days)s"


@dataclass(frozen=True)
class Watched:
    """What a tick raised: rows by table, and the memory after it."""

    rows: Mapping[str, pl.DataFrame]
    tail: pl.DataFrame
    recent: pl.DataFrame
    ends: Mapping[int, int]
    judged: traffic.Judged


def _no_tail() -> pl.DataFrame:
    return pl.DataFrame(schema=clicks.CLICK_COLUMNS)


def _no_recent() -> pl.DataFrame:
    return pl.DataFrame(schema={name: addresses.SIGHTING_COLUMNS[name] for name in addresses.SIGHTING})


@dataclass
class Anomalies:
    """Used by one thread at a time. `ends`: partition of user events -> the offset up to which `tail` knows it."""

    client: Client
    rules: AlertRules
    tail: pl.DataFrame = field(default_factory=_no_tail)
    recent: pl.DataFrame = field(default_factory=_no_recent)
    ends: dict[int, int] = field(default_factory=dict)
    judged: traffic.Judged = field(default_factory=traffic.Judged)

    def derive(self, records: Records, events: pl.DataFrame, orders: pl.DataFrame) -> Watched:
        """Rows of `speed_alerts` and `speed_sightings` from the used hot events and orders of a tick."""
        raised_by_clicks, tail = self._clicks(records, events)
        raised_by_traffic, judged = traffic.derive(self.client, self.rules, records, self.judged)
        found = pl.concat([raised_by_clicks, raised_by_traffic, self._purchases(orders), self._addresses(records)])
        sightings = addresses.sightings(events).join(self.recent, on=addresses.SIGHTING, how="anti")
        rows = {"speed_alerts": self._not_raised(alerts(found, self.rules), records), "speed_sightings": sightings}
        recent = pl.concat([self.recent, sightings.select(addresses.SIGHTING)]).tail(_RECENT)
        ends = {tick.partition: tick.end for tick in _of_events(records)}
        return Watched(rows, tail, recent, ends, judged)

    def take_in(self, watched: Watched) -> None:
        """Remembers a tick that is written."""
        self.tail, self.recent = watched.tail, watched.recent
        self.ends |= watched.ends
        self.judged = watched.judged

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        """Drops what is known of partitions that were assigned or revoked."""
        if topic == USER_EVENTS:
            gone = pl.col("log_partition").is_in(list(partitions))
            self.tail, self.recent = self.tail.filter(~gone), self.recent.filter(~gone)
            self.judged = traffic.Judged()
            for partition in partitions:
                self.ends.pop(partition, None)

    def _clicks(self, records: Records, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        unknown = [tick for tick in _of_events(records) if self.ends.get(tick.partition) != tick.first]
        stale = pl.col("log_partition").is_in([tick.partition for tick in unknown])
        tail = pl.concat([self.tail.filter(~stale), *(self._stored_tail(tick) for tick in unknown)])
        new = events.filter(pl.col("event_type") == "click").select(*clicks.CLICK_COLUMNS)
        return clicks.fold(tail, new, self.rules)

    def _stored_tail(self, tick: Range) -> pl.DataFrame:
        since = tick.first_append_time - clicks.lookback(self.rules)
        parameters = {
            "epoch": tick.epoch,
            "partition": tick.partition,
            "start": tick.first,
            "since": round(since.timestamp() * 1_000),
        }
        return select(self.client, _CLICKS, clicks.CLICK_COLUMNS, parameters) if tick.first else _no_tail()

    def _purchases(self, orders: pl.DataFrame) -> pl.DataFrame:
        new = orders.filter(pl.col("status") == "completed").select(*purchases.PURCHASE_COLUMNS)
        first, _ = _bounds(new["order_time"])
        since = first - _milliseconds(self.rules.purchase_history)
        known = self._of_people(new, _PURCHASES, purchases.PURCHASE_COLUMNS, since=since)
        return purchases.fold(known, new, self.rules)

    def _addresses(self, records: Records) -> pl.DataFrame:
        new = records.states.get(USER_SIGHTINGS.name, empty(SIGHTED_COLUMNS))
        (first, last), span = _bounds(new["timestamp"]), _milliseconds(self.rules.address_window)
        known = self._of_people(new, _SIGHTINGS, _SIGHTED, since=first - span, until=last + span)
        return addresses.fold(known, new, self.rules)

    def _of_people(
        self, new: pl.DataFrame, sql: str, columns: Mapping[str, pl.DataType], **parameters: int
    ) -> pl.DataFrame:
        """Stored rows of the users of `new`."""
        people = new.select(addresses.PERSON).unique()
        parts = [
            select(self.client, sql, columns, {"keys": part.rows(), **parameters})
            for part in people.iter_slices(_KEYS_PER_QUERY)
            if part.height
        ]
        return pl.concat([pl.DataFrame(schema=dict(columns)), *parts])

    def _not_raised(self, found: pl.DataFrame, records: Records) -> pl.DataFrame:
        """The alerts that were not completed below the start of the tick."""
        if not found.height:
            return found
        parameters = {"ids": found["alert_id"].to_list(), "days": found["day"].unique().to_list()}
        stored = select(self.client, _RAISED, _RAISED_COLUMNS, parameters)
        topics = found.select("alert_id", "log_topic").join(stored, on="alert_id")
        starts = {(tick.topic, tick.partition): tick.first for tick in records.ranges}
        raised = [
            row["alert_id"]
            for row in topics.iter_rows(named=True)
            if row["as_of"] < starts.get((row["log_topic"], row["log_partition"]), 0)
        ]
        return found.filter(~pl.col("alert_id").is_in(raised))


def _bounds(times: pl.Series) -> tuple[int, int]:
    """The least and the greatest of some times, ms; 0 where there is none."""
    values = times.dt.timestamp("ms").to_list()
    return min(values, default=0), max(values, default=0)


def _of_events(records: Records) -> list[Range]:
    return [tick for tick in records.ranges if tick.topic == USER_EVENTS]


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
