"""The speed layer's worker: `python -m streams`. Settings come from the environment and the stack's state folder."""

from __future__ import annotations

import logging
import sys
from collections import ChainMap
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import NoReturn

from infra.allocation import collect_rarely
from infra.clients.clickhouse import Client, StoreUnavailable, connect
from infra.settings import Settings, load_settings
from schemas.lateness import Horizon
from schemas.registry import Registry, RegistryUnavailable
from schemas.sessions import SessionRules
from schemas.topics import USER_EVENTS
from schemas.verdicts import READERS
from streams import progress
from streams.app import WorkerOptions, run
from streams.engine import Engine
from streams.epochs import Epochs
from streams.hold import TransportOptions
from streams.holes import WaitForPublication
from streams.identity import identify
from streams.intake import Intake
from streams.memory import MemoryLimits
from streams.outbox import Outbox
from streams.outputs import OutputUnavailable
from streams.pending import PendingLimits
from streams.redefine import derive_again
from streams.slices import SliceLimits

GROUP = "rivermeet-speed"
WAITS = (StoreUnavailable, RegistryUnavailable, OutputUnavailable, WaitForPublication)
"""What time mends: the tick is tried again until it succeeds, and intake stops meanwhile."""


_SWITCH_SECONDS = 0.0005
"""A tick leaves the interpreter some hundred times, and waits so long to come back while the event loop is at work."""

_CONNECTIONS = 3
"""Inserts of one half of a tick that are under way at a time; more than that, and the store is what they wait for."""


def main() -> NoReturn:
    """Runs until it is told to stop."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    collect_rarely()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = load_settings()
    registry = Registry(settings.registry.url)
    outbox = Outbox(settings.kafka.client_config(), registry.id_of_latest)
    outbox.start()
    client = connect(settings.clickhouse)
    logs = identify(settings.kafka.client_config(), READERS, Epochs(client))
    redefined = _derive_again(settings, client)
    if redefined:
        logging.getLogger(__name__).info("%d rows were written by the changed session rules", redefined)
    engine = _engine(settings, registry, outbox)
    run(_options(settings, ChainMap(engine.stages, outbox.spent)), logs, engine)


def _options(settings: Settings, stages: Mapping[str, float]) -> WorkerOptions:
    memory = settings.memory
    return WorkerOptions(
        settings.kafka,
        GROUP,
        settings.home / "run",
        transport=TransportOptions(limits=SliceLimits(bytes=memory.slice_bytes)),
        pending=PendingLimits(memory.pending_records, memory.pending_bytes),
        waits=WAITS,
        stages=stages,
        applied=partial(progress.applied, connect(settings.clickhouse)),
    )


def _derive_again(settings: Settings, client: Client) -> int:
    known = {
        (epoch, partition): offset
        for (topic, epoch, partition), (offset, _) in progress.applied(client).items()
        if topic == USER_EVENTS.name
    }
    return derive_again(client, _rules(settings), Horizon(settings.horizon_days), known)


def _rules(settings: Settings) -> SessionRules:
    return SessionRules(gap=timedelta(minutes=settings.session_gap_minutes))


def _engine(settings: Settings, registry: Registry, outbox: Outbox) -> Engine:
    """The engine has clients of its own, since it runs in threads of its own."""
    rules = _rules(settings)
    clients, horizon = (connect(settings.clickhouse), connect(settings.clickhouse)), Horizon(settings.horizon_days)
    memory = settings.memory
    limits = MemoryLimits(memory.sessions, memory.events, memory.orders, memory.windows)
    intake = Intake(registry.resolve)
    first, second = ([connect(settings.clickhouse) for _ in range(_CONNECTIONS)] for _ in clients)
    return Engine(clients, intake, rules, horizon, outbox, limits, settings.alerts, (first, second))


if __name__ == "__main__":
    main()
