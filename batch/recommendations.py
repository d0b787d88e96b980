"""generate_recommendation_features: features of products and their neighbours, by `schemas.product_activity` and
`schemas.pairs`."""

from __future__ import annotations

from datetime import date
from functools import partial

import polars as pl

from batch.engine import Fold, Rows
from batch.features import DayTable, FeatureReport, Inputs, Wiring
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


def generate(wiring: Wiring[Rows], inputs: Inputs) -> FeatureReport:
    """Writes the day tables of products, and the features and neighbours of every day of the inputs."""
    wiring.reduce_days(inputs, TABLES)
    features = [_features(wiring, day) for day in inputs.days]
    neighbours = [_neighbours(wiring, day) for day in inputs.days]
    written = {
        PRODUCT_FEATURES.name: wiring.write(PRODUCT_FEATURES, features, inputs),
        PRODUCT_PAIRS.name: wiring.write(PRODUCT_PAIRS, neighbours, inputs),
    }
    return FeatureReport(inputs.trace.runs, inputs.days, written)


def _features(wiring: Wiring[Rows], day: date) -> Rows:
    engine = wiring.engine
    window = wiring.window(PRODUCT_ACTIVITY, day, product_activity.WINDOW)
    activity = engine.together(window, window, _PRODUCT)
    parts = engine.fold(activity, Fold(product_activity.shop_rates, PRODUCT_ACTIVITY, _RATES))
    rates = engine.frame(engine.sql(_SHOP_RATES, parts=parts), _RATES.frame_schema)
    fold = partial(product_activity.product_features, rates=rates, day=day)
    features = engine.fold(activity, Fold(fold, PRODUCT_ACTIVITY, PRODUCT_FEATURES))
    counts = wiring.collected(engine.fold(features, Fold(product_activity.priced, PRODUCT_FEATURES, _PRICES)), _PRICES)
    scores = quintiles.scores(counts, BAND_KEYS)
    banded = partial(product_activity.with_bands, scores=scores)
    return engine.fold(features, Fold(banded, PRODUCT_FEATURES, PRODUCT_FEATURES))


def _neighbours(wiring: Wiring[Rows], day: date) -> Rows:
    engine = wiring.engine
    window = wiring.window(CO_OCCURRENCE, day, pairs.WINDOW)
    rows = engine.together(engine.sql(_both_ways(day), stored=window), window, ("tenant_id", "kind", "product_id"))
    return engine.fold(rows, Fold(partial(pairs.neighbours, day=day), _PAIRS, PRODUCT_PAIRS))


_SHOP_RATES = f"""
    SELECT tenant_id, day, {", ".join(f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in _COUNTS)}
    FROM {{parts}} GROUP BY tenant_id, day
"""


def _both_ways(day: date) -> str:
    """The pairs of the window, each product in turn the first, with how many baskets hold either, and how many are."""
    kinds = " ".join(f"WHEN '{source}' THEN '{kind}'" for source, kind in pairs.KINDS.items())
    return f"""
        WITH counts AS (
            SELECT tenant_id, source, product_a, product_b, CAST(SUM(baskets) AS BIGINT) AS baskets
            FROM {{stored}} GROUP BY tenant_id, source, product_a, product_b
        ), own AS (
            SELECT tenant_id, source, product_a AS product, baskets FROM counts WHERE product_a = product_b
        ), held AS (
            SELECT * FROM counts WHERE product_a < product_b AND baskets >= {pairs.LEAST_BASKETS}
        ), ways AS (
            SELECT tenant_id, source, product_a AS product, product_b AS neighbour, baskets FROM held
            UNION ALL SELECT tenant_id, source, product_b AS product, product_a AS neighbour, baskets FROM held
        )
        SELECT ways.tenant_id, CASE ways.source {kinds} END AS kind, ways.product AS product_id,
            ways.neighbour AS neighbour_id, ways.baskets AS baskets_with_both, one.baskets AS baskets_with_product,
            other.baskets AS baskets_with_neighbour, total.baskets AS baskets, DATE '{day}' AS day
        FROM ways
        JOIN own AS one ON one.tenant_id = ways.tenant_id AND one.source = ways.source AND one.product = ways.product
        JOIN own AS other
            ON other.tenant_id = ways.tenant_id AND other.source = ways.source AND other.product = ways.neighbour
        JOIN counts AS total ON total.tenant_id = ways.tenant_id AND total.source = ways.source
            AND total.product_a = '{pairs.ALL}'
    """
