"""calculate_user_segments: the features of users, by `schemas.segments` and `schemas.affinity`."""

from __future__ import annotations

from datetime import date
from functools import partial

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know
from pyspark.storagelevel import StorageLevel

from batch.features import DayTable, FeatureReport, Inputs, Wiring
from batch.partitions import WholePartition
from schemas import affinity, quintiles, segments, user_activity
from schemas.frames import ORDER_COLUMNS
from schemas.segments import SCORE_KEYS, USER_BASE_COLUMNS, ChurnModel
from schemas.tables.features import USER_ACTIVITY, USER_AFFINITY, USER_FEATURES, USER_INTEREST
from schemas.tables.lake import LakeTable

_WRITER = "batch.segments"
_BASE = LakeTable("user_base", USER_BASE_COLUMNS, "day", _WRITER, "Features of users without scores.")
_PREFERRED = LakeTable(
    "user_preferred",
    {**USER_BASE_COLUMNS, "preferred_category": pl.String()},
    "day",
    _WRITER,
    "Features of users without scores, with their category.",
)
_KEYS: dict[str, pl.DataType] = {name: pl.String() for name in SCORE_KEYS if name != "day"}
_RANKS = LakeTable("user_ranks", {**_KEYS, "value": pl.Int64(), "rows": pl.Int64()}, "day", _WRITER, "Scored values.")

_SESSION = ("user_id", "session_start", "session_end", "device_class", "converted", "overlong", "duration_ms")
_COUNTS = ("events", "page_views", "clicks", "searches", "add_to_carts", "purchases")
_USER = ("tenant_id", "user_id")
TABLES = (
    DayTable(
        USER_ACTIVITY, "events", "batch_sessions", ("tenant_id", *_SESSION, *_COUNTS), _USER, user_activity.of_sessions
    ),
    DayTable(USER_ACTIVITY, "orders", "batch_orders", tuple(ORDER_COLUMNS), _USER, user_activity.of_orders),
    DayTable(
        USER_INTEREST,
        "events",
        "batch_events",
        ("tenant_id", "user_id", "event_type", "product_id", "properties"),
        _USER,
        affinity.of_events,
    ),
    DayTable(USER_INTEREST, "orders", "batch_orders", tuple(ORDER_COLUMNS), _USER, affinity.of_orders),
)


def calculate(wiring: Wiring, inputs: Inputs) -> FeatureReport:
    """Writes the day tables of users, and the features of every day of the inputs."""
    wiring.reduce_days(inputs, TABLES)
    affinities = {day: _affinity(wiring, day).persist(StorageLevel.DISK_ONLY) for day in inputs.days}
    try:
        features = [_features(wiring, day, affinities[day]) for day in inputs.days]
        written = {
            USER_AFFINITY.name: wiring.write(USER_AFFINITY, list(affinities.values()), inputs),
            USER_FEATURES.name: wiring.write(USER_FEATURES, features, inputs),
        }
    finally:
        for rows in affinities.values():
            rows.unpersist()
    return FeatureReport(inputs.trace.runs, inputs.days, written)


def _affinity(wiring: Wiring, day: date) -> DataFrame:
    """Affinity at the end of a day; a product's category is what the latest record of it that names one says."""
    interest = wiring.window(USER_INTEREST, day, affinity.WINDOW)
    latest = F.max_by("category", F.struct("day", "source", "category")).alias("category")
    known = interest.where("category IS NOT NULL").groupBy("tenant_id", "product_id").agg(latest)
    rows = interest.drop("category").join(known, ["tenant_id", "product_id"], "left")
    rows = wiring.together(rows.select(*USER_INTEREST.frame_schema), interest, *_USER)
    return WholePartition(partial(affinity.affinity, day=day), USER_INTEREST, USER_AFFINITY).on(rows)


def _features(wiring: Wiring, day: date, affinities: DataFrame) -> DataFrame:
    window = wiring.window(USER_ACTIVITY, day, segments.LOOKBACK)
    activity = wiring.together(window, window, *_USER)
    base = WholePartition(partial(segments.user_base, day=day, model=ChurnModel()), USER_ACTIVITY, _BASE).on(activity)
    counts = wiring.collected(WholePartition(segments.ranked, _BASE, _RANKS).on(base), _RANKS)
    scores = quintiles.scores(counts, SCORE_KEYS)
    best = affinities.where("dimension = 'category' AND rank = 1")
    preferred = best.select(*_USER, F.col("value").alias("preferred_category"))
    rows = base.join(preferred, [*_USER], "left").select(*_PREFERRED.frame_schema)
    return WholePartition(partial(segments.with_segments, scores=scores), _PREFERRED, USER_FEATURES).on(rows)
