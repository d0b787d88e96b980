"""Segments: what each user did on a day, from the day's sessions."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - the name that Spark's users know

from batch.derive import Derivation
from schemas.tables.lake import USER_SEGMENTS

SEGMENTS = {
    "buyer": "purchases > 0",
    "intending": "add_to_carts > 0",
    "exploring": "page_views + clicks + searches >= 5",
    "visiting": "TRUE",
}
"""Segment -> condition on the user's day; the first that holds."""


def user_segments(sessions: DataFrame) -> DataFrame:
    """One row per day, tenant and signed-in user."""
    counts = ("events", "page_views", "clicks", "searches", "add_to_carts", "purchases")
    users = sessions.where("user_id IS NOT NULL").groupBy("day", "tenant_id", "user_id")
    sums = users.agg(F.count("*").alias("sessions"), *[F.sum(name).alias(name) for name in counts])
    cases = " ".join(f"WHEN {condition} THEN '{name}'" for name, condition in SEGMENTS.items())
    return sums.withColumn("segment", F.expr(f"CASE {cases} END"))


USER_SEGMENT_DERIVATION = Derivation("segments", "batch_sessions", USER_SEGMENTS, user_segments, "segment")
