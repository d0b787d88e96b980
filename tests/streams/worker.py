"""A worker with the recording engine, as a process of its own."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.settings import Kafka
from streams import app
from streams.app import GroupTimes, WorkerOptions
from streams.hold import TransportOptions
from streams.identity import identify
from streams.pending import PendingLimits
from streams.slices import SliceLimits
from streams.ticking import TickPolicy
from streams.trying import Patience
from tests.streams.recording import RecordingEngine


class OneEpoch:
    def epoch_for(self, topic: str, topic_id: str, partitions: int, end_offsets: Mapping[int, int]) -> int:
        return 1


def run(given: dict[str, Any]) -> None:
    folder = Path(given["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=folder / "worker.log", level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    kafka = Kafka(bootstrap=given["bootstrap"])
    options = WorkerOptions(
        kafka=kafka,
        group=given["group"],
        folder=folder,
        fetch_records=given.get("fetch_records", 5_000),
        group_times=GroupTimes(session=6.0, heartbeat=0.5, rebalance=6.0, request=7.0, commit=0.3),
        transport=TransportOptions(limits=SliceLimits(records=given.get("slice_records", 1_000)), settle=1.0),
        pending=PendingLimits(records=given.get("pending_records", 20_000)),
        ticks=TickPolicy(interval=given.get("interval", 0.1), patience=Patience(attempts=3)),
        waits=(ConnectionError,),
    )
    logs = identify(kafka.client_config(), given["topics"], OneEpoch())
    app.run(options, logs, RecordingEngine(Path(given["records"]), folder.name))
