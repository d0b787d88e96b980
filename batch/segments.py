"""calculate_user_segments: the features of users, by `schemas.segments` and `schemas.affinity`."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from functools import partial

import polars as pl

from batch.engine import Fold, Rows
from batch.features import DayTable, FeatureReport, Inputs, Wiring
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


def calculate(wiring: Wiring[Rows], inputs: Inputs) -> FeatureReport:
    """Writes the day tables of users, and the features of every day of the inputs."""
    wiring.reduce_days(inputs, TABLES)
    with ExitStack() as kept:
        affinities = {day: kept.enter_context(wiring.engine.kept(_affinity(wiring, day))) for day in inputs.days}
        features = [_features(wiring, day, affinities[day]) for day in inputs.days]
        written = {
            USER_AFFINITY.name: wiring.write(USER_AFFINITY, list(affinities.values()), inputs),
            USER_FEATURES.name: wiring.write(USER_FEATURES, features, inputs),
        }
    return FeatureReport(inputs.trace.runs, inputs.days, written)


def _affinity(wiring: Wiring[Rows], day: date) -> Rows:
    """Affinity at the end of a day."""
    engine = wiring.engine
    interest = wiring.window(USER_INTEREST, day, affinity.WINDOW)
    rows = engine.together(engine.sql(_WITH_CATEGORY, interest=interest), interest, _USER)
    return engine.fold(rows, Fold(partial(affinity.affinity, day=day), USER_INTEREST, USER_AFFINITY))


def _features(wiring: Wiring[Rows], day: date, affinities: Rows) -> Rows:
    engine = wiring.engine
    window = wiring.window(USER_ACTIVITY, day, segments.LOOKBACK)
    activity = engine.together(window, window, _USER)
    base = engine.fold(activity, Fold(partial(segments.user_base, day=day, model=ChurnModel()), USER_ACTIVITY, _BASE))
    counts = wiring.collected(engine.fold(base, Fold(segments.ranked, _BASE, _RANKS)), _RANKS)
    scores = quintiles.scores(counts, SCORE_KEYS)
    rows = engine.sql(_WITH_PREFERRED, base=base, affinities=affinities)
    return engine.fold(rows, Fold(partial(segments.with_segments, scores=scores), _PREFERRED, USER_FEATURES))


_INTEREST = ", ".join(f"interest.{name}" for name in USER_INTEREST.frame_schema if name != "category")
_WITH_CATEGORY = f"""
    SELECT {_INTEREST}, known.category FROM {{interest}} AS interest LEFT JOIN (
        SELECT tenant_id, product_id, MAX_BY(category, (day, source, category)) AS category
        FROM {{interest}} WHERE category IS NOT NULL GROUP BY tenant_id, product_id
    ) AS known ON known.tenant_id = interest.tenant_id AND known.product_id = interest.product_id
"""
"""A product's category is what the latest record of it that names one says."""

_BASE_COLUMNS = ", ".join(f"base.{name}" for name in _BASE.frame_schema)
_WITH_PREFERRED = f"""
    SELECT {_BASE_COLUMNS}, best.value AS preferred_category FROM {{base}} AS base LEFT JOIN (
        SELECT tenant_id, user_id, value FROM {{affinities}} WHERE dimension = 'category' AND rank = 1
    ) AS best ON best.tenant_id = base.tenant_id AND best.user_id = base.user_id
"""
