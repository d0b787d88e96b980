"""Features for recommendations: products that were seen in the same session."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from batch.derive import Derivation
from schemas.tables.lake import PRODUCT_PAIRS

MAX_PRODUCTS = 50
"""Of a session id that saw more products on a day, as robots do, only the first so many by name count."""


def product_pairs(events: DataFrame) -> DataFrame:
    """One row per day, tenant and pair of products, the lesser first, and how many session ids saw both."""
    seen = events.where("product_id IS NOT NULL AND event_type IN ('page_view', 'click')")
    products = seen.groupBy("day", "tenant_id", "session_id", "log_epoch", "log_partition").agg(
        F.slice(F.array_sort(F.collect_set("product_id")), 1, MAX_PRODUCTS).alias("products")
    )
    first = products.withColumn("product_a", F.explode("products"))
    pairs = first.withColumn("product_b", F.explode("products")).where("product_a < product_b")
    return pairs.groupBy("day", "tenant_id", "product_a", "product_b").agg(F.count("*").alias("sessions"))


PRODUCT_PAIR_DERIVATION = Derivation("recommendations", "batch_events", PRODUCT_PAIRS, product_pairs, "")
