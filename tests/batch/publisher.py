"""A publisher in a process of its own, for tests: it dies, or stops for a while, before the n-th request that it sends.

Arguments: host, port, user, password, the folder of results, the run, and `die` or `stop` with n, or `go 0`.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
from datetime import UTC, datetime
from typing import Any

from batch.publication import ATTEMPT_BITS, PublicationRefused
from batch.results import Results
from batch.warehouse import publish_run
from infra.clients.clickhouse import Client, connect
from infra.settings import ClickHouse
from schemas.lateness import Horizon

SIGNALS = {"die": signal.SIGKILL, "stop": signal.SIGSTOP}


class Interrupted:
    """A client that sends itself a signal before its n-th request."""

    def __init__(self, client: Client, how: str, at: int) -> None:
        self._client, self._how, self._left = client, how, at

    @property
    def write_compression(self) -> str | None:
        """How bodies are compressed."""
        return self._client.write_compression

    def raw_insert(self, *arguments: Any) -> Any:
        """Inserts, if it comes to that."""
        self._count()
        return self._client.raw_insert(*arguments)

    def query_arrow(self, *arguments: Any, **options: Any) -> Any:
        """Queries, if it comes to that."""
        self._count()
        return self._client.query_arrow(*arguments, **options)

    def command(self, *arguments: Any) -> Any:
        """Runs a statement, if it comes to that."""
        self._count()
        return self._client.command(*arguments)

    def close(self) -> None:
        """Closes the client."""
        self._client.close()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0 and self._how in SIGNALS:
            os.kill(os.getpid(), SIGNALS[self._how])


def main() -> int:
    """Publishes; ends with 5 if the publication is refused, and prints how many requests that took."""
    host, port, user, password, root, run, how, at = sys.argv[1:]
    settings = ClickHouse.model_validate({"host": host, "port": port, "user": user, "password": password})
    client = Interrupted(connect(settings), how, int(at))
    results = Results(root)
    manifest = results.manifest("events", run)
    attempt = secrets.randbelow(1 << ATTEMPT_BITS)
    try:
        done = publish_run(client, results, manifest, Horizon(), datetime.now(UTC), attempt)
    except PublicationRefused as error:
        print(error)  # noqa: T201 - what a process of a test says
        return 5
    print(f"{done.version} {done.published} {-client._left}")  # noqa: T201 - what a process of a test says
    return 0


if __name__ == "__main__":
    sys.exit(main())
