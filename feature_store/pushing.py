"""The push consumer's process: `python -m feature_store push`."""

from __future__ import annotations

import logging
import signal
import time
from contextlib import closing
from types import FrameType

from feature_store.config import open_store
from feature_store.consumer import Rounds
from feature_store.push import REPORT_S, Pusher
from feature_store.sinks import Categories, Stores
from feature_store.writing import OnlineWriter
from infra.clients.clickhouse import connect
from infra.settings import Settings
from schemas.registry import Registry

log = logging.getLogger(__name__)


class Stop:
    """Set by SIGTERM or SIGINT; the round that is under way is finished."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        """Take the signals of this process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._set)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def run(settings: Settings, stop: Stop) -> None:
    """Push until told to stop. Leaves the number of the process in `<home>/run/feature-push.ready` while it reads.

    Raises `feature_store.push.SinkUnavailable`, `schemas.registry.RegistryUnavailable`.
    """
    client = connect(settings.clickhouse)
    categories = Categories(client)
    categories.refresh(time.time())
    online = OnlineWriter(open_store(settings))
    pusher = Pusher(Stores(client, online), Registry(settings.registry.url).resolve, categories)
    with closing(Rounds(settings.kafka.client_config())) as rounds:
        _mark_ready(settings)
        _loop(pusher, rounds, categories, stop)


def _loop(pusher: Pusher, rounds: Rounds, categories: Categories, stop: Stop) -> None:
    told = time.monotonic()
    while not stop.asked:
        records = rounds.next()
        categories.refresh(time.time())
        pusher.round(records)
        rounds.commit(records)
        if time.monotonic() - told > REPORT_S:
            told = time.monotonic()
            log.info("%s, %d records wait, %d products in memory", pusher.counts, rounds.lag(), len(pusher.popularity))


def ready_file(settings: Settings) -> str:
    """Where the process leaves its number once it reads."""
    return str(settings.home / "run" / "feature-push.ready")


def _mark_ready(settings: Settings) -> None:
    import os
    from pathlib import Path

    path = Path(ready_file(settings))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".draft").write_text(str(os.getpid()))
    path.with_suffix(".draft").replace(path)
