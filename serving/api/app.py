"""The application: wiring only. Every group of routes has a module of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from infra.settings import Settings
from serving.api import health, metrics, openapi, products, publications, sessions, status
from serving.api.context import Context
from serving.api.keyring import KeyRing
from serving.api.observe import Metrics, Observed
from serving.api.problems import Problem, on_problem
from serving.api.provenance import Clock
from serving.api.store import Connect, Store

VERSION = "1"
GROUPS = (metrics, sessions, products, publications, status)


def create_app(settings: Settings, clock: Clock, connect: Connect, new_id: Callable[[], str]) -> FastAPI:
    """The API. `connect` makes a ClickHouse client for one thread, `new_id` the id of a request that brings none."""
    store = Store(connect)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
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
    app.state.context = Context(store, keys, clock)
    observed = Metrics(store)
    app.add_middleware(Observed, metrics=observed, new_id=new_id)
    for error in (Problem, RequestValidationError, HTTPException):
        app.add_exception_handler(error, on_problem)
    _add_routes(app, observed)
    return app


def _add_routes(app: FastAPI, observed: Metrics) -> None:
    app.include_router(health.router)
    versioned = APIRouter(prefix=f"/v{VERSION}")
    for group in GROUPS:
        versioned.include_router(group.router)
    app.include_router(versioned)
    # FastAPI asks this method for the document behind /openapi.json.
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        headers = {"Content-Security-Policy": openapi.CONTENT_SECURITY_POLICY}
        return HTMLResponse(openapi.page(app.openapi()), headers=headers)

    @app.get("/metrics", include_in_schema=False)
    def prometheus() -> Response:
        return observed.show()
