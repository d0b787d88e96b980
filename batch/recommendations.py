"""generate_recommendation_features: features of products and their neighbours, by `schemas.product_activity` and
`schemas.pairs`."""

from __future__ import annotations

from datetime import date
from functools import partial

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from batch.features import DayTable, FeatureReport, Inputs, Wiring
from batch.partitions import WholePartition
from schemas import pairs, product_activity, quintiles
from schemas.frames import GROUP, ORDER_COLUMNS
from schemas.product_activity import BAND_KEYS
from schemas.tables.features import CO_OCCURRENCE, PRODUCT_ACTIVITY, PRODUCT_FEATURES, PRODUCT_PAIRS
from schemas.tables.lake import LakeTable

_WRITER = "batch.recommendations"
_COUNTS = {"views": pl.Int64(), "purchases": pl.Int64()}
_RATES = LakeTable("shop_rates", {"tenant_id": pl.String(), **_COUNTS}, "day", _WRITER, "Views and purchases of shops.")
_KEYS: dict[str, pl.DataType] = {name: pl.String() for name in BAND_KEYS if name != "day"}
_PRICES = LakeTable("prices", {**_KEYS, "value": pl.Int64(), "rows": pl.Int64()}, "day", _WRITER, "Prices of products.")
_PAIR_COLUMNS: dict[str, pl.DataType] = {
    **dict.fromkeys(("tenant_id", "kind", "product_id", "neighbour_id"), pl.String()),
    **dict.fromkeys(
        ("baskets_with_both", "baskets_with_product", "baskets_with_neighbour", "baskets"),
        pl.Int64(),
    ),
}
_PAIRS = LakeTable("pairs", _PAIR_COLUMNS, "day", _WRITER, "Pairs of products, each in both directions.")

_PRODUCT = ("tenant_id", "product_id")
_EVENT = ("event_type", "product_id")
_ORDER = tuple(ORDER_COLUMNS)
TABLES = (
    DayTable(
        PRODUCT_ACTIVITY,
        "events",
        "batch_events",
        ("tenant_id", *_EVENT, "properties"),
        _PRODUCT,
        product_activity.of_events,
    ),
    DayTable(PRODUCT_ACTIVITY, "orders", "batch_orders", _ORDER, ("tenant_id", "day"), product_activity.of_orders),
    DayTable(CO_OCCURRENCE, "events", "batch_events", (*GROUP, *_EVENT), GROUP, pairs.of_events, "baskets"),
    DayTable(CO_OCCURRENCE, "orders", "batch_orders", _ORDER, ("transaction_id",), pairs.of_orders, "baskets"),
)


def generate(wiring: Wiring, inputs: Inputs) -> FeatureReport:
    """Writes the day tables of products, and the features and neighbours of every day of the inputs."""
    wiring.reduce_days(inputs, TABLES)
    features = [_features(wiring, day) for day in inputs.days]
    neighbours = [_neighbours(wiring, day) for day in inputs.days]
    written = {
        PRODUCT_FEATURES.name: wiring.write(PRODUCT_FEATURES, features, inputs),
        PRODUCT_PAIRS.name: wiring.write(PRODUCT_PAIRS, neighbours, inputs),
    }
    return FeatureReport(inputs.trace.runs, inputs.days, written)


def _features(wiring: Wiring, day: date) -> DataFrame:
    window = wiring.window(PRODUCT_ACTIVITY, day, product_activity.WINDOW)
    activity = wiring.together(window, window, *_PRODUCT)
    rates = WholePartition(product_activity.shop_rates, PRODUCT_ACTIVITY, _RATES).on(activity)
    summed = rates.groupBy("tenant_id", "day").agg(*[F.sum(name).alias(name) for name in _COUNTS])
    fold = partial(product_activity.product_features, rates=pl.DataFrame(pl.from_arrow(summed.toArrow())), day=day)
    features = WholePartition(fold, PRODUCT_ACTIVITY, PRODUCT_FEATURES).on(activity)
    counts = wiring.collected(WholePartition(product_activity.priced, PRODUCT_FEATURES, _PRICES).on(features), _PRICES)
    scores = quintiles.scores(counts, BAND_KEYS)
    banded = partial(product_activity.with_bands, scores=scores)
    return WholePartition(banded, PRODUCT_FEATURES, PRODUCT_FEATURES).on(features)


def _neighbours(wiring: Wiring, day: date) -> DataFrame:
    window = wiring.window(CO_OCCURRENCE, day, pairs.WINDOW)
    rows = wiring.together(_both_ways(window, day), window, "tenant_id", "kind", "product_id")
    return WholePartition(partial(pairs.neighbours, day=day), _PAIRS, PRODUCT_PAIRS).on(rows)


def _both_ways(window: DataFrame, day: date) -> DataFrame:
    """The pairs of the window, each product in turn the first, with how many baskets hold either, and how many are."""
    shop = ["tenant_id", "source"]
    counts = window.groupBy(*shop, "product_a", "product_b").agg(F.sum("baskets").alias("baskets"))
    total = counts.where(F.col("product_a") == pairs.ALL).select(*shop, "baskets")
    own = counts.where("product_a = product_b").select(*shop, F.col("product_a").alias("product"), "baskets")
    both = counts.where(f"product_a < product_b AND baskets >= {pairs.LEAST_BASKETS}")
    names = ("product_id", "neighbour_id", "baskets_with_both")
    ways = [both.select(*shop, *way, "baskets").toDF(*shop, *names) for way in _WAYS]
    found = ways[0].unionByName(ways[1]).join(total, shop)
    for product, count in (("product_id", "baskets_with_product"), ("neighbour_id", "baskets_with_neighbour")):
        found = found.join(own.toDF(*shop, product, count), [*shop, product])
    kind = F.element_at(F.create_map(*[F.lit(part) for pair in pairs.KINDS.items() for part in pair]), F.col("source"))
    return found.withColumn("kind", kind).withColumn("day", F.lit(day)).select(*_PAIRS.frame_schema)


_WAYS = (("product_a", "product_b"), ("product_b", "product_a"))
