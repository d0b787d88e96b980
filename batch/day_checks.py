"""Checks of a landed day that are no rules of single records: duplicates, sessions, volume, freshness, and orders
against events. The limits stand in `schemas.gates`; here they are counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from batch.datasets import Dataset
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


def of_rows(rows: DataFrame, dataset: Dataset, day: date) -> Iterator[Check]:
    """What the rows of a day say."""
    time = _TIME[dataset.name]
    positions = rows.groupBy(*POSITION, *_IDENTITY[dataset.name]).agg(F.max(F.unix_millis(time)).alias("millis"))
    each = positions.groupBy(*_IDENTITY[dataset.name]).agg(F.count("*").alias("n"), F.max("millis").alias("last"))
    counted = each.agg(F.sum("n").alias("rows"), F.count("*").alias("distinct"), F.max("last").alias("last")).first()
    if counted is None or not counted["rows"]:
        return
    yield gates.DUPLICATES.judge(counted["rows"] - counted["distinct"], counted["rows"])
    end = start_of(day + timedelta(days=1)).timestamp()
    silent = (end - counted["last"] / 1000) / 3600
    meaning = f"the last record lies within {gates.SILENT_HOURS} hours of the end of the day"
    yield Check("fresh", Severity.WARN, meaning, silent <= gates.SILENT_HOURS, 0, f"{silent:.1f} hours before")
    if dataset.name == "events":
        yield from _of_groups(rows)


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


def across(events: DataFrame, orders: DataFrame, day: date) -> Iterator[Check]:
    """Orders against the purchase events that name them by their property `orderId`, of the day and the one before.

    Where no event names an order, there is nothing to compare, and nothing is said.
    """
    near = [day - timedelta(days=1), day]
    named = F.element_at("properties", F.lit("orderId")).alias("transaction_id")
    bought = events.where(F.col("day").isin(near) & (F.col("event_type") == "purchase"))
    seen = bought.select("tenant_id", "day", named).where("transaction_id IS NOT NULL").persist()
    try:
        yield from _across(seen, orders.where(F.col("day").isin([*near, day + timedelta(days=1)])), day)
    finally:
        seen.unpersist()


def _across(seen: DataFrame, orders: DataFrame, day: date) -> Iterator[Check]:
    keys = ["tenant_id", "transaction_id"]
    tenants = seen.select("tenant_id").distinct()
    facts = orders.join(F.broadcast(tenants), "tenant_id", "left_semi").where("status = 'completed'")
    done = facts.where(F.col("day") == day).groupBy(*keys).agg(F.max("amount_minor").alias("amount"))
    marked = done.join(seen.select(*keys).distinct().withColumn("seen", F.lit(1)), keys, "left")
    silent = F.col("seen").isNull()
    counted = marked.agg(
        F.count("*").alias("orders"),
        F.count_if(silent).alias("silent"),
        F.sum("amount").alias("amount"),
        F.sum(F.when(silent, F.col("amount"))).alias("silent_amount"),
    ).first()
    if counted is None or not counted["orders"]:
        return
    yield gates.ORDERS_WITHOUT_EVENT.judge(counted["silent"], counted["orders"])
    yield gates.REVENUE_WITHOUT_EVENT.judge(counted["silent_amount"] or 0, counted["amount"] or 0)
    named = seen.where(F.col("day") == day).select(*keys).distinct()
    missing = named.join(orders.select(*keys).distinct(), keys, "left_anti").count()
    yield gates.EVENTS_WITHOUT_ORDER.judge(missing, named.count())


def _of_groups(rows: DataFrame) -> Iterator[Check]:
    users = F.count_distinct("user_id")
    groups = rows.groupBy(*GROUP).agg(F.count("*").alias("n"), users.alias("users"))
    long = F.col("n") > gates.GROUP_EVENTS
    found = groups.agg(
        F.count("*").alias("groups"),
        F.sum("n").alias("events"),
        F.sum(F.when(long, F.col("n")).otherwise(0)).alias("long"),
        F.count_if(F.col("users") > 1).alias("shared"),
    ).first()
    if found is not None and found["groups"]:
        yield gates.LONG_GROUPS.judge(found["long"], found["events"])
        yield gates.SHARED_SESSIONS.judge(found["shared"], found["groups"])
