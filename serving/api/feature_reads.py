"""The feature server as the API asks it, over HTTP: nothing of Feast is known here."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import quote

import httpx

from serving.api.problems import UNAVAILABLE, Problem

SECONDS = 2.0
CONNECTIONS = 8
_NOT_FOUND = 404
_AWAY = "the feature server cannot answer now; ask again, and see `rivermeet status` if it stays so"


class FeatureReads:
    """Asks the feature server; connections are kept, and may be used by any thread."""

    def __init__(self, host: str, port: int) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        # It speaks plain HTTP: without a context of its own the client would read every certificate of the machine.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        base = f"http://{host}:{port}"
        self._client = httpx.Client(base_url=base, timeout=SECONDS, limits=limits, trust_env=False, verify=nobody)

    def of_user(self, tenant: str, user: str, service: str) -> dict[str, Any] | None:
        """What `GET /users/{tenant}/{user}` of the feature server answers; None for a service it does not have.

        Raises `Problem` where it does not answer.
        """
        path = f"/users/{quote(tenant, safe='')}/{quote(user, safe='')}"
        try:
            response = self._client.get(path, params={"service": service})
        except httpx.HTTPError as error:
            raise Problem(UNAVAILABLE, _AWAY) from error
        if response.status_code == _NOT_FOUND:
            return None
        if response.is_error:
            raise Problem(UNAVAILABLE, _AWAY)
        found: dict[str, Any] = response.json()
        return found

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()
