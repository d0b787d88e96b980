"""Checks of a landed day that are no rules of single records: duplicates, sessions, volume, freshness, and orders
against events. The limits stand in `schemas.gates`; here they are counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from batch.datasets import Dataset
from batch.engine import Derived, Engine, Milliseconds, Property, Rows
from batch.publication import landed_until
from batch.snapshot import Pinned
from schemas import gates
from schemas.checks import Severity
from schemas.frames import GROUP, POSITION
from schemas.gates import Check
from schemas.lateness import is_publishable, start_of
from schemas.orders import SAME_FACT
from schemas.topics import Cleanup

_WEEK = timedelta(days=7)
_IDENTITY = {"events": (*GROUP, "event_id"), "orders": SAME_FACT}
_TIME = {"events": "event_time", "orders": "order_time"}


RECORD_MS = "record_ms"
"""The column that `of_rows` takes the time of a record from."""
ORDER_ID = "order_id"


def needed(dataset: Dataset) -> list[Derived]:
    """The columns that `of_rows` needs beside those of the table."""
    return [Milliseconds(RECORD_MS, _TIME[dataset.name])]


def of_rows(engine: Engine[Rows], rows: Rows, dataset: Dataset, day: date) -> Iterator[Check]:
    """What the rows of a day say."""
    [counted] = engine.frame(engine.sql(_repeated(dataset), rows=rows), _COUNTED).to_dicts()
    if not counted["records"]:
        return
    yield gates.DUPLICATES.judge(counted["records"] - counted["facts"], counted["records"])
    end = start_of(day + timedelta(days=1)).timestamp()
    silent = (end - counted["last_ms"] / 1000) / 3600
    meaning = f"the last record lies within {gates.SILENT_HOURS} hours of the end of the day"
    yield Check("fresh", Severity.WARN, meaning, silent <= gates.SILENT_HOURS, 0, f"{silent:.1f} hours before")
    if dataset.name == "events":
        [found] = engine.frame(engine.sql(_GROUPS, rows=rows), _FOUND).to_dicts()
        yield gates.LONG_GROUPS.judge(found["in_long_groups"], found["events"])
        yield gates.SHARED_SESSIONS.judge(found["shared_groups"], found["groups_found"])


def of_landings(dataset: Dataset, pinned: Pinned, day: date) -> Iterator[Check]:
    """What the history of the table says by itself: offsets, losses, dead letters, when it was landed, volume."""
    landed = [commit.landed for commit in pinned.commits if any(part.day == day for part in commit.landed.days)]
    offsets = sum(one.end[p] - one.lost.get(p, one.start[p]) for one in landed for p in one.end)
    lost = sum(first - one.start[p] for one in landed for p, first in one.lost.items())
    records, dead = sum(one.records for one in landed), sum(one.dead_letters for one in landed)
    missing = offsets - records
    compacted = dataset.topic.cleanup is not Cleanup.DELETE
    severity = Severity.WARN if compacted else Severity.FAIL
    meaning = "every offset of the landed ranges was read" + (" or compacted away" if compacted else "")
    yield Check("offsets_complete", severity, meaning, missing == 0, missing, f"{missing} offsets without a record")
    meaning = "no record expired before it was landed"
    yield Check("nothing_lost", Severity.WARN, meaning, lost == 0, lost, f"{lost} lost")
    yield gates.DEAD_LETTERS.judge(dead, records)
    until = landed_until(pinned.coverage)
    meaning = "the landing ended past the day and its hour for late records"
    yield Check("landed_whole", Severity.FAIL, meaning, is_publishable(day, until), 0, f"landed until {until:%F %H:%M}")
    before = [pinned.landed_rows([day - _WEEK * week]) for week in range(1, gates.WEEKS + 1)]
    yield gates.volume(pinned.landed_rows([day]), [rows for rows in before if rows])


def across(engine: Engine[Rows], events: Rows, orders: Rows, day: date) -> Iterator[Check]:
    """Orders against the purchase events that name them by their property `orderId`, of the day and the one before.

    Takes events of both days, and orders of these and the day after. Where no event names an order, there is nothing to
    compare, and nothing is said.
    """
    named = engine.derive(events, [Property(ORDER_ID, "properties", "orderId")])
    with engine.kept(engine.sql(_NAMED, events=named)) as seen:
        [counted] = engine.frame(engine.sql(_silent(day), seen=seen, orders=orders), _SILENT).to_dicts()
        if not counted["orders_done"]:
            return
        yield gates.ORDERS_WITHOUT_EVENT.judge(counted["silent"], counted["orders_done"])
        yield gates.REVENUE_WITHOUT_EVENT.judge(counted["silent_amount"] or 0, counted["amount"] or 0)
        [missed] = engine.frame(engine.sql(_missing(day), seen=seen, orders=orders), _MISSED).to_dicts()
        yield gates.EVENTS_WITHOUT_ORDER.judge(missed["missing"], missed["named"])


def _whole(*names: str) -> dict[str, pl.DataType]:
    return dict.fromkeys(names, pl.Int64())


_COUNTED = _whole("records", "facts", "last_ms")
_FOUND = _whole("groups_found", "events", "in_long_groups", "shared_groups")
_SILENT = _whole("orders_done", "silent", "amount", "silent_amount")
_MISSED = _whole("named", "missing")


def _repeated(dataset: Dataset) -> str:
    identity = ", ".join(_IDENTITY[dataset.name])
    positions = f"""
        SELECT {identity}, MAX({RECORD_MS}) AS last_ms FROM {{rows}}
        GROUP BY {", ".join(dict.fromkeys((*POSITION, *_IDENTITY[dataset.name])))}
    """
    facts = f"SELECT COUNT(*) AS n, MAX(last_ms) AS last_ms FROM ({positions}) AS positions GROUP BY {identity}"
    return f"SELECT SUM(n) AS records, COUNT(*) AS facts, MAX(last_ms) AS last_ms FROM ({facts}) AS facts"


_GROUPS = f"""
    SELECT COUNT(*) AS groups_found, SUM(n) AS events,
        SUM(CASE WHEN n > {gates.GROUP_EVENTS} THEN n ELSE 0 END) AS in_long_groups,
        SUM(CASE WHEN users > 1 THEN 1 ELSE 0 END) AS shared_groups
    FROM (
        SELECT COUNT(*) AS n, COUNT(DISTINCT user_id) AS users FROM {{rows}} GROUP BY {", ".join(GROUP)}
    ) AS each_group
"""

_NAMED = f"""
    SELECT tenant_id, day, {ORDER_ID} FROM {{events}} WHERE event_type = 'purchase' AND {ORDER_ID} IS NOT NULL
"""


def _silent(day: date) -> str:
    """Completed orders of the day, of tenants whose events name orders, and those of them that no event names."""
    return f"""
        SELECT COUNT(*) AS orders_done, SUM(amount) AS amount,
            SUM(CASE WHEN named.{ORDER_ID} IS NULL THEN 1 ELSE 0 END) AS silent,
            SUM(CASE WHEN named.{ORDER_ID} IS NULL THEN amount END) AS silent_amount
        FROM (
            SELECT tenant_id, transaction_id, MAX(amount_minor) AS amount FROM {{orders}}
            WHERE status = 'completed' AND day = DATE '{day}' AND tenant_id IN (SELECT tenant_id FROM {{seen}})
            GROUP BY tenant_id, transaction_id
        ) AS done LEFT JOIN (SELECT DISTINCT tenant_id, {ORDER_ID} FROM {{seen}}) AS named
        ON named.tenant_id = done.tenant_id AND named.{ORDER_ID} = done.transaction_id
    """


def _missing(day: date) -> str:
    """Orders that events of the day name, and those of them that are not there."""
    return f"""
        SELECT COUNT(*) AS named, SUM(CASE WHEN facts.transaction_id IS NULL THEN 1 ELSE 0 END) AS missing
        FROM (SELECT DISTINCT tenant_id, {ORDER_ID} FROM {{seen}} WHERE day = DATE '{day}') AS named
        LEFT JOIN (SELECT DISTINCT tenant_id, transaction_id FROM {{orders}}) AS facts
        ON facts.tenant_id = named.tenant_id AND facts.transaction_id = named.{ORDER_ID}
    """
