"""The application: wiring only. Every group of routes has a module of its own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache

from fastapi import APIRouter, FastAPI, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from infra.clients.cassandra import opened
from infra.settings import Settings
from serving.api import (
    alerts,
    analyses,
    catalogue,
    features,
    health,
    intake,
    metrics,
    openapi,
    overview,
    pages,
    points,
    popular,
    products,
    publications,
    sessions,
    status,
    users,
)
from serving.api.caching import NotModified, on_not_modified
from serving.api.context import Context
from serving.api.feature_reads import FeatureReads
from serving.api.freshness import Freshness
from serving.api.keyring import KeyRing
from serving.api.limits import Limiter, Limits
from serving.api.observe import Metrics, Observed
from serving.api.problems import Problem, on_problem
from serving.api.provenance import Clock
from serving.api.store import Connect, Store
from serving.dashboard.backlog import Backlog
from serving.dashboard.live import Live
from serving.gate.gate import Gate
from serving.gate.outlet import Outlet
from serving.log import LogEnds
from serving.points.reading import REQUEST_SECONDS, PointReads

VERSION = "1"
GROUPS = (
    intake,
    points,
    metrics,
    catalogue,
    sessions,
    features,
    users,
    popular,
    products,
    analyses,
    overview,
    alerts,
    publications,
    status,
)


def create_app(settings: Settings, clock: Clock, connect: Connect, new_id: Callable[[], str]) -> FastAPI:
    """The API. `connect` makes a ClickHouse client for one thread, `new_id` the id of a request that brings none."""
    store = Store(connect)
    outlet = Outlet(settings)
    observed = Metrics(store, outlet)
    reads = PointReads(lambda: opened(settings.cassandra, settings.cassandra.keyspace, timeout_s=REQUEST_SECONDS))
    log = LogEnds(settings, clock)
    freshness = Freshness(store, log)
    feature_reads = FeatureReads(settings.features.host, settings.features.port)
    gate = Gate(outlet, observed.count_records)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(gate.close)
        feature_reads.close()
        freshness.close()
        log.close()
        reads.close()
        store.close()

    app = FastAPI(
        title="Rivermeet",
        version=VERSION,
        description=openapi.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    keys = KeyRing(settings.api_keys_file, settings.api.key.get_secret_value())
    limits = Limits(
        Limiter(settings.api.requests_per_second, time.monotonic),
        Limiter(settings.api.records_per_second, time.monotonic),
    )
    app.state.context = Context(
        store, keys, clock, limits, gate, reads, freshness, Live(), Backlog(settings), log, feature_reads
    )
    if settings.api.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.api.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "X-API-Key", "X-Request-ID", "Content-Type", "Content-Encoding"],
            expose_headers=["X-Request-ID", "Retry-After", "ETag"],
        )
    app.add_middleware(Observed, metrics=observed, new_id=new_id)
    app.add_exception_handler(NotModified, on_not_modified)
    for error in (Problem, RequestValidationError, HTTPException):
        app.add_exception_handler(error, on_problem)
    _add_routes(app, observed)
    return app


@cache
def _routes() -> APIRouter:
    """The routes of every group: they know no application, so several of a process share them."""
    every = APIRouter()
    for router in (health.router, intake.page_router, pages.router):
        every.include_router(router)
    for group in GROUPS:
        every.include_router(group.router, prefix=f"/v{VERSION}")
    return every


def _add_routes(app: FastAPI, observed: Metrics) -> None:
    app.router.routes.extend(_routes().routes)
    # FastAPI asks this method for the document behind /openapi.json.
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        headers = {"Content-Security-Policy": openapi.CONTENT_SECURITY_POLICY}
        return HTMLResponse(openapi.page(app.openapi()), headers=headers)

    @app.get("/metrics", include_in_schema=False)
    def prometheus() -> Response:
        return observed.show()
