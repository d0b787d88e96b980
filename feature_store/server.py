"""The feature server: Feast's own HTTP interface, as `feast serve` has it, and the features of a user with defaults."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException

from feature_store.answers import answer, of_users_alone
from feature_store.catalogue import TENANT, USER
from feature_store.config import apply, open_store, registry_file
from feature_store.feast_import import FeatureStore, get_app
from infra.jars import locked
from infra.settings import Settings

APPLY_SECONDS = 120.0
GRACE_S = 5


def create_app(store: FeatureStore) -> FastAPI:
    """Feast's application with one more route."""
    app: FastAPI = get_app(store)
    services: dict[str, Any] = {}
    guard = threading.Lock()

    def service_of(name: str) -> Any:
        with guard:
            if name not in services:
                services[name] = store.get_feature_service(name)
            return services[name]

    @app.get("/users/{tenant_id}/{user_id}")
    def user(tenant_id: str, user_id: str, service: str = "user_v1") -> dict[str, Any]:
        """All features of a service about one user; 404 for a service that wants more than a user."""
        if not of_users_alone(service):
            raise HTTPException(404, "no feature service of users alone has this name")
        rows = [{TENANT: tenant_id, USER: user_id}]
        found = store.get_online_features(features=service_of(service), entity_rows=rows).to_dict()
        given = answer(service, {name: values[0] for name, values in found.items()})
        return {
            TENANT: tenant_id,
            USER: user_id,
            "service": service,
            "is_new_user": given.is_new_user,
            "features": dict(given.features),
            "defaulted": list(given.defaulted),
        }

    # Feast's route would be found first where both match; ours comes before it.
    app.router.routes.insert(0, app.router.routes.pop())
    return app


def serve(settings: Settings) -> None:
    """Bring the registry and the online tables up to date, then serve on loopback until told to stop."""
    store = open_store(settings)
    with locked(registry_file(settings).with_suffix(".lock"), APPLY_SECONDS):
        apply(store)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.run(
            create_app(store),
            host=settings.features.host,
            port=settings.features.port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
        )
