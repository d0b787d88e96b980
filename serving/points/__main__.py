"""``python -m serving.points``: copy until SIGTERM or SIGINT, then commit what is done and end."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from infra.clients.cassandra import opened
from infra.settings import load_settings
from serving.points.copying import Copier


def main() -> None:
    """Copies for the settings' stack; leaves its process number in a file once it reads."""
    settings = load_settings()
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("cassandra").setLevel(logging.ERROR)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    ready = settings.home / "run" / "points.ready"
    ready.parent.mkdir(parents=True, exist_ok=True)
    copier = Copier(
        settings, lambda: opened(settings.cassandra, settings.cassandra.keyspace), lambda: datetime.now(UTC)
    )
    copier.run(ending, lambda: _leave(ready))


def _leave(file: Path) -> None:
    file.write_text(str(os.getpid()))


if __name__ == "__main__":
    main()
