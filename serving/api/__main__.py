"""``python -m serving.api``: serve until SIGTERM or SIGINT, then finish what is under way and end."""

from __future__ import annotations

import logging
import secrets
import sys
from datetime import UTC, datetime

import uvicorn

from infra.clients.clickhouse import Client, connect
from infra.settings import Settings, load_settings
from serving.api.app import create_app
from serving.api.observe import JsonLines
from serving.api.store import CONNECT_TIMEOUT_S, QUERY_TIMEOUT_S

GRACE_S = 10
KEEP_ALIVE_S = 5
_ID_BYTES = 12


def main() -> None:
    """Serves the API on the settings' address."""
    settings = load_settings()
    _log_as_json()
    app = create_app(settings, _now, lambda: _analyst(settings), lambda: secrets.token_hex(_ID_BYTES))
    uvicorn.run(
        app,
        host=settings.api.host,
        port=settings.api.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _analyst(settings: Settings) -> Client:
    """A client that may read the views and nothing else."""
    return connect(settings.clickhouse, "analyst", connect_timeout_s=CONNECT_TIMEOUT_S, query_timeout_s=QUERY_TIMEOUT_S)


def _log_as_json() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


if __name__ == "__main__":
    main()
