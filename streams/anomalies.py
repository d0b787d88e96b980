"""Alerts of the speed layer: the rules of `schemas.anomalies` on what a tick brings and what went before.

What a rule knows of earlier records is read back from stored rows below the start of the tick; the memory is a cache of
it. An alert that was completed below the start is stored and confirmed, so it is not raised again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from infra.clients.clickhouse import Client, select
from schemas.alerts import ALERT_COLUMNS, CANDIDATE_COLUMNS, AlertRules, alerts
from schemas.anomalies import addresses, clicks, purchases
from schemas.frames import POSITION, SIGHTED_COLUMNS, empty, milliseconds
from schemas.topics import USER_SIGHTINGS
from streams import traffic
from streams.facts import Facts
from streams.index import Recent
from streams.keys import group_keys, within
from streams.known import HASH_SQL
from streams.people import People, Told
from streams.raised import Raised
from streams.records import TRANSACTIONS, USER_EVENTS, Range
from streams.restore import by_keys, of_keys
from streams.table import Keys

_KEYS_PER_QUERY = 5_000
_RECENT = 500_000
"""Sightings that are remembered as sent; of one that is forgotten an equal one is sent again."""
_DAY = timedelta(days=1)

_CLICKS = f"""
SELECT {", ".join(clicks.CLICK_COLUMNS)} FROM events_speed
WHERE event_type = 'click' AND log_epoch = %(epoch)s AND log_partition = %(partition)s AND log_offset < %(start)s
    AND append_time >= fromUnixTimestamp64Milli(%(since)s)
LIMIT 1 BY log_offset
"""
_OF_ORDERS = (
    "FROM {} WHERE {} AND status = 'completed'"
    " AND order_time >= fromUnixTimestamp64Milli(%(since)s) AND day >= toDate(fromUnixTimestamp64Milli(%(since)s))"
)
_ORDER_TABLES = ("orders_speed", "orders_cold", "batch_orders")
_PURCHASES = " UNION ALL ".join(
    f"SELECT {', '.join(purchases.PURCHASE_COLUMNS)} {_OF_ORDERS.format(table, of_keys(*addresses.PERSON))}"
    for table in _ORDER_TABLES
)
_USER = HASH_SQL.format(tenant="tenant_id", entity="user_id")
_BUYERS = " UNION DISTINCT ".join(
    f"SELECT DISTINCT {_USER} AS hash {_OF_ORDERS.format(table, 'log_partition IN %(partitions)s')}"
    for table in _ORDER_TABLES
)
_SIGHTED = {name: addresses.SIGHTING_COLUMNS[name] for name in (*addresses.PERSON, "ip", "session_id", "timestamp")}
_PLACE = (*addresses.PERSON, "ip", "timestamp")
"""One sighting of a user at an address and time says as much as all of them."""
_SIGHTINGS = (
    f"SELECT {', '.join(_SIGHTED)} FROM speed_sightings WHERE {of_keys(*addresses.PERSON)}"
    f" LIMIT 1 BY {', '.join(_PLACE)}"
)
_SIGHTED_USERS = f"SELECT DISTINCT {_USER} AS hash FROM speed_sightings"
_NO_TAIL = empty(clicks.TAIL_COLUMNS)
_NO_CANDIDATES = empty(CANDIDATE_COLUMNS)
_NO_ALERTS = empty(ALERT_COLUMNS)
_NONE_SIGHTED = empty(SIGHTED_COLUMNS)


@dataclass(frozen=True)
class Watched:
    """What a tick raised: rows by table, and the memory after it."""

    rows: Mapping[str, pl.DataFrame]
    tail: pl.DataFrame
    ends: Mapping[int, int]
    judged: traffic.Judged
    sent: Keys
    buyers: Told | None
    sighted: Told | None


class Anomalies:
    """Used by one thread at a time. `_ends`: partition of user events -> the offset up to which `_tail` knows it."""

    def __init__(self, client: Client, rules: AlertRules, horizon: timedelta) -> None:
        self._client, self._rules, self._horizon = client, rules, horizon
        self._tail, self._ends, self._judged = _NO_TAIL, dict[int, int](), traffic.Judged()
        self._sent = Recent(_RECENT)
        self._raised = Raised(client)
        self._buyers = People(purchases.PURCHASE_COLUMNS, POSITION)
        self._sighted = People(_SIGHTED, _PLACE)
        self._restored: set[tuple[str, int]] = set()

    def derive(self, facts: Facts) -> Watched:
        """Rows of `speed_alerts` and `speed_sightings`."""
        raised_by_clicks, tail = self._clicks(facts)
        raised_by_traffic, judged = traffic.derive(self._client, self._rules, facts.ranges, self._judged)
        raised_by_orders, buyers = self._purchases(facts)
        raised_by_addresses, sighted = self._addresses(facts)
        found = pl.concat([raised_by_clicks, raised_by_traffic, raised_by_orders, raised_by_addresses])
        sightings, sent = self._sightings(facts.events)
        rows = {"speed_sightings": sightings}
        if found.height:
            rows["speed_alerts"] = self._raised.new(alerts(found, self._rules), facts.ranges)
        ends = {tick.partition: tick.end for tick in _of(facts.ranges, USER_EVENTS)}
        return Watched(rows, tail, ends, judged, sent, buyers, sighted)

    def take_in(self, watched: Watched) -> None:
        """Remembers a tick that is written."""
        self._tail, self._judged = watched.tail, watched.judged
        self._ends |= watched.ends
        self._sent.add(watched.sent)
        self._raised.take_in(watched.rows.get("speed_alerts", _NO_ALERTS))
        if watched.buyers:
            self._buyers.take_in(watched.buyers)
        if watched.sighted:
            self._sighted.take_in(watched.sighted)

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        """Drops what is known of partitions that were assigned or revoked."""
        self._restored = {known for known in self._restored if known[0] != topic}
        self._raised.forget()
        if topic == USER_EVENTS:
            self._tail = self._tail.filter(~pl.col("log_partition").is_in(list(partitions)))
            self._judged, self._sent = traffic.Judged(), Recent(_RECENT)
            for partition in partitions:
                self._ends.pop(partition, None)
        elif topic == TRANSACTIONS:
            self._buyers.forget()
        elif topic == USER_SIGHTINGS.name:
            self._sighted.forget()

    def _clicks(self, facts: Facts) -> tuple[pl.DataFrame, pl.DataFrame]:
        unknown = [tick for tick in _of(facts.ranges, USER_EVENTS) if self._ends.get(tick.partition) != tick.first]
        tail = self._tail
        if unknown:
            stale = pl.col("log_partition").is_in([tick.partition for tick in unknown])
            tail = pl.concat([tail.filter(~stale), *(self._stored_tail(tick) for tick in unknown)])
        new = facts.events.select("event_type", *clicks.CLICK_COLUMNS).filter(pl.col("event_type") == "click")
        return clicks.fold(tail, new, self._rules) if new.height else (_NO_CANDIDATES, tail)

    def _stored_tail(self, tick: Range) -> pl.DataFrame:
        if not tick.first:
            return _NO_TAIL
        since = tick.first_append_time - clicks.lookback(self._rules)
        parameters = {
            "epoch": tick.epoch,
            "partition": tick.partition,
            "start": tick.first,
            "since": milliseconds(since),
        }
        return clicks.keyed(select(self._client, _CLICKS, clicks.CLICK_COLUMNS, parameters))

    def _sightings(self, events: pl.DataFrame) -> tuple[pl.DataFrame, Keys]:
        """The sightings that were not sent yet, and their keys."""
        seen = addresses.seen(events)
        unsent = ~self._sent.holds(addresses_keys(seen))
        first = addresses.firsts(seen.filter(pl.Series(unsent)))
        return first, addresses_keys(first)

    def _purchases(self, facts: Facts) -> tuple[pl.DataFrame, Told | None]:
        """An order is hot, so those after it happened at most a horizon before it arrived."""
        new = facts.all_orders.filter(pl.col("status") == "completed")
        if not new.height:
            return _NO_CANDIDATES, None
        ranges = _of(facts.ranges, TRANSACTIONS)
        arrived = min(tick.first_append_time for tick in ranges)
        since = milliseconds(arrived - self._horizon - _DAY - self._rules.purchase_history)
        self._restore(self._buyers, ranges, _BUYERS, since=since)
        told = self._buyers.tell(
            new, lambda people: self._of_people(people, _PURCHASES, purchases.PURCHASE_COLUMNS, since=since)
        )
        hot = facts.orders.filter(pl.col("status") == "completed").select(*purchases.PURCHASE_COLUMNS)
        return purchases.fold(told.rows, hot, self._rules), told

    def _addresses(self, facts: Facts) -> tuple[pl.DataFrame, Told | None]:
        new = facts.states.get(USER_SIGHTINGS.name, _NONE_SIGHTED)
        if not new.height:
            return _NO_CANDIDATES, None
        self._restore(self._sighted, _of(facts.ranges, USER_SIGHTINGS.name), _SIGHTED_USERS)
        told = self._sighted.tell(new, lambda people: self._of_people(people, _SIGHTINGS, _SIGHTED))
        return addresses.fold(told.rows, new, self._rules), told

    def _restore(self, people: People, ranges: Sequence[Range], sql: str, **parameters: object) -> None:
        """Of partitions that are read for the first time, learns of which users rows are stored."""
        fresh = [tick for tick in ranges if (tick.topic, tick.partition) not in self._restored]
        if fresh:
            parameters |= {"partitions": [tick.partition for tick in fresh]}
            hashes = select(self._client, sql, {"hash": pl.UInt64()}, parameters)["hash"]
            people.known.add(hashes.to_numpy().astype(np.uint64))
            self._restored |= {(tick.topic, tick.partition) for tick in fresh}

    def _of_people(
        self, people: pl.DataFrame, sql: str, columns: Mapping[str, pl.DataType], **parameters: int
    ) -> pl.DataFrame:
        """Stored rows of users."""
        parts = by_keys(
            people,
            addresses.PERSON,
            lambda keys: select(self._client, sql, columns, {**keys, **parameters}),
            _KEYS_PER_QUERY,
        )
        return pl.concat([empty(columns), *parts])


def addresses_keys(sightings: pl.DataFrame) -> Keys:
    """Keys of `addresses.SIGHTING`."""
    return within(group_keys(sightings, "session_id"), sightings, ("user_id", "ip", "timestamp"))


def _of(ranges: Sequence[Range], topic: str) -> list[Range]:
    return [tick for tick in ranges if tick.topic == topic]
