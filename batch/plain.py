"""A recompute as a tutorial would write it, to be measured beside ours: Spark SQL windows, a Python function by row.

It answers the same questions of one day: events without duplicates, sessions by the session gap, counts by product.
Nothing else uses it.
"""

from __future__ import annotations

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.sql.types import StringType

from batch.lake import spark_name
from schemas.products import COUNTERS
from schemas.sessions import SessionRules
from schemas.tables.lake import EVENTS

_EVENT = ("tenant_id", "session_id", "event_id")
_SESSION = ("tenant_id", "session_id", "session_number")


def plain_recompute(spark: SparkSession, day: date, rules: SessionRules, folder: str) -> dict[str, int]:
    """Computes the day and brings it to the driver as a load by rows would; answers how many rows each table has."""
    used = spark.table(spark_name(EVENTS)).where(F.col("day") == F.lit(day)).dropDuplicates([*_EVENT])
    device = F.udf(_device, StringType())
    used = used.withColumn("device", device("user_agent")).cache()
    used.drop("properties", "experiments").write.mode("overwrite").parquet(f"{folder}/events")
    sessions = _sessions(used, rules.gap).collect()
    products = _products(used).collect()
    rows = {"batch_events": used.count(), "batch_sessions": len(sessions), "batch_products": len(products)}
    used.unpersist()
    return rows


def _sessions(used: DataFrame, gap: timedelta) -> DataFrame:
    ordered = Window.partitionBy("tenant_id", "session_id").orderBy("event_time", "event_id")
    pause = F.unix_millis("event_time") - F.unix_millis(F.lag("event_time").over(ordered))
    cut = F.when(pause < gap // timedelta(milliseconds=1), 0).otherwise(1)
    numbered = used.withColumn("session_number", F.sum(cut).over(ordered))
    return numbered.groupBy(*_SESSION).agg(
        F.min("event_time").alias("session_start"),
        F.max("event_time").alias("session_end"),
        F.last("user_id", ignorenulls=True).alias("user_id"),
        F.first("device").alias("device"),
        F.count("*").alias("events"),
        F.countDistinct("page").alias("unique_pages"),
        *[_count(name, kind) for name, kind in COUNTERS.items()],
    )


def _products(used: DataFrame) -> DataFrame:
    of_product = used.where("product_id IS NOT NULL").groupBy("tenant_id", "product_id")
    return of_product.agg(*[_count(name, kind) for name, kind in COUNTERS.items()])


def _count(name: str, kind: str) -> Column:
    return F.sum((F.col("event_type") == kind).cast("int")).alias(name)


def _device(agent: str) -> str:
    """By row, in Python, from the text: what the enrichment at decode does once for each distinct agent."""
    from ua_parser import parse

    found = parse(agent or "")
    return found.device.family if found.device else "other"
