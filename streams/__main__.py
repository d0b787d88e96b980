"""The speed layer's worker: `python -m streams`. Settings come from the environment and the stack's state folder."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import NoReturn

from infra.clients.clickhouse import StoreUnavailable, connect
from infra.settings import Settings, load_settings
from schemas.lateness import Horizon
from schemas.registry import Registry, RegistryUnavailable
from schemas.sessions import SessionRules
from schemas.verdicts import READERS
from streams.app import WorkerOptions, run
from streams.engine import Engine
from streams.epochs import Epochs
from streams.holes import WaitForPublication
from streams.identity import identify
from streams.intake import Intake
from streams.outputs import Outputs, OutputUnavailable

GROUP = "rivermeet-speed"
WAITS = (StoreUnavailable, RegistryUnavailable, OutputUnavailable, WaitForPublication)
"""What time mends: the tick is tried again until it succeeds, and intake stops meanwhile."""


def main() -> NoReturn:
    """Runs until it is told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = load_settings()
    client = connect(settings.clickhouse)
    logs = identify(settings.kafka.client_config(), READERS, Epochs(client))
    options = WorkerOptions(settings.kafka, GROUP, settings.home / "run", waits=WAITS)
    run(options, logs, _engine(settings))


def _engine(settings: Settings) -> Engine:
    """The engine has a client of its own, since it runs in a thread of its own."""
    rules = SessionRules(gap=timedelta(minutes=settings.session_gap_minutes))
    registry = Registry(settings.registry.url)
    outputs = Outputs(settings.kafka.client_config(), registry.register)
    client, horizon = connect(settings.clickhouse), Horizon(settings.horizon_days)
    return Engine(client, Intake(registry.resolve), rules, horizon, outputs=outputs, alert_rules=settings.alerts)


if __name__ == "__main__":
    main()
