"""``/v1/status``: how far both layers are, and what is missing."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl
from fastapi import APIRouter
from pydantic import BaseModel, Field

from infra.clients.clickhouse import Client
from schemas.frames import TIMESTAMP
from serving.api.access import Operator
from serving.api.context import InContext
from serving.api.problems import FORBIDDEN, TOO_MANY, UNAUTHENTICATED, UNAVAILABLE, Hole, documented
from serving.api.store import rows

router = APIRouter(
    prefix="/status", tags=["operations"], responses=documented(UNAUTHENTICATED, FORBIDDEN, TOO_MANY, UNAVAILABLE)
)

MAX_HOLES = 1000


class Partition(BaseModel):
    """How far the speed layer is in one partition of the log."""

    topic: str = Field(description="Kafka topic")
    log_epoch: int = Field(description="Incarnation of the topic")
    log_partition: int = Field(description="Kafka partition")
    applied: int = Field(description="Offset below which every record is applied, from complete_from on")
    complete_from: int = Field(description="Offset from which the speed store has no gap")
    watermark: datetime = Field(description="Greatest event time applied")
    append_time: datetime = Field(description="When Kafka received the last record applied")
    lag_seconds: float = Field(description="Now less append_time; also grows while nothing is received")


class Published(BaseModel):
    """What is published of one dataset."""

    dataset: str = Field(description="events or orders")
    days: int = Field(description="Days that are published")
    sealed_days: int = Field(description="Of them, those whose hot horizon is over: only the batch layer answers")
    publications: int = Field(description="Publications so far, each of one or more days")
    last_day: date = Field(description="Latest day that is published")
    last_published_at: datetime = Field(description="When the last publication was made")


class Status(BaseModel):
    """How both layers are."""

    answered_at: datetime
    partitions: list[Partition] = Field(description="Partitions of which the speed layer has applied anything")
    published: list[Published] = Field(description="Datasets of which anything is published")
    holes: list[Hole] = Field(description=f"Days that neither layer can answer, the first {MAX_HOLES}")


_PARTITIONS: dict[str, pl.DataType] = {
    "topic": pl.String(),
    "log_epoch": pl.Int64(),
    "log_partition": pl.Int64(),
    "applied": pl.Int64(),
    "complete_from": pl.Int64(),
    "watermark": TIMESTAMP,
    "append_time": TIMESTAMP,
}
_PUBLISHED_SQL = """
SELECT
    dataset,
    countIf(current) AS days,
    countIf(current AND sealed) AS sealed_days,
    uniqExact(publication_id) AS publications,
    max(day) AS last_day,
    max(published_at) AS last_published_at
FROM publications GROUP BY dataset ORDER BY dataset
"""
_PUBLISHED: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "days": pl.Int64(),
    "sealed_days": pl.Int64(),
    "publications": pl.Int64(),
    "last_day": pl.Date(),
    "last_published_at": TIMESTAMP,
}
_HOLES: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "day": pl.String(),
    "log_partition": pl.Int64(),
    "message": pl.String(),
}
_HOLES_SQL = (
    "SELECT dataset, toString(day) AS day, log_partition, message FROM holes"
    " ORDER BY dataset, day, log_partition LIMIT {row_limit:UInt32}"
)


@router.get("", response_model=Status, summary="Progress, publications and holes")
def status(context: InContext, _operator: Operator) -> Any:
    """How far the speed layer has applied each partition, what the batch layer has published, and every hole."""
    now = context.clock()
    with context.store.client() as client:
        return {
            "answered_at": now,
            "partitions": _partitions(client, now),
            "published": rows(client, _PUBLISHED_SQL, _PUBLISHED, {}),
            "holes": rows(client, _HOLES_SQL, _HOLES, {"row_limit": MAX_HOLES}),
        }


def _partitions(client: Client, now: datetime) -> list[dict[str, Any]]:
    sql = f"SELECT {', '.join(_PARTITIONS)} FROM progress ORDER BY topic, log_partition"
    return [row | {"lag_seconds": _lag(row["append_time"], now)} for row in rows(client, sql, _PARTITIONS, {})]


def _lag(append_time: datetime, now: datetime) -> float:
    return max(0.0, (now - append_time).total_seconds())
