"""``/healthz`` and ``/readyz``: whether the process lives, and whether it can answer. No key is asked for."""

from __future__ import annotations

import asyncio

import polars as pl
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from serving.api.context import InContext
from serving.api.problems import UNAVAILABLE, Problem, documented
from serving.api.store import Store, rows

READY_TIMEOUT_S = 3.0

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process is well."""

    status: str = "ok"


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> Health:
    """Answers as long as the process does; asks nobody."""
    return Health()


@router.get("/readyz", responses=documented(UNAVAILABLE), summary="Whether questions can be answered")
async def readyz(context: InContext) -> Health:
    """Answers 200 if ClickHouse replies within 3 seconds, 503 otherwise."""
    try:
        await asyncio.wait_for(run_in_threadpool(_ask, context.store), READY_TIMEOUT_S)
    except TimeoutError as error:
        raise Problem(UNAVAILABLE, f"ClickHouse did not reply within {READY_TIMEOUT_S:.0f} s; ask again") from error
    return Health()


def _ask(store: Store) -> None:
    with store.client() as client:
        rows(client, "SELECT 1 AS one", {"one": pl.Int64()}, {})
