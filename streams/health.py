"""What a running worker tells: that it is ready, and each second how it stands."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from streams.hold import Log, Position
from streams.pending import Pending
from streams.ticking import TickStats


class HealthFiles:
    """`worker.ready` (the process id, there while the worker has its assignment) and `worker.json` in one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._ready, self._status = folder / "worker.ready", folder / "worker.json"
        self.gone()

    def ready(self) -> None:
        """The worker has its assignment and reads."""
        _replace(self._ready, f"{os.getpid()}\n")

    def gone(self) -> None:
        """The worker has no assignment any more."""
        self._ready.unlink(missing_ok=True)

    def write(self, status: Mapping[str, object]) -> None:
        """Replace the status as a whole."""
        _replace(self._status, json.dumps(status) + "\n")


def status(
    now: float,
    positions: Sequence[Position],
    logs: Mapping[str, Log],
    pending: Pending,
    ticks: TickStats,
    waiting_for: str | None,
    stages: Mapping[str, float],
) -> dict[str, object]:
    """The content of `worker.json` at `now` (Unix seconds).

    `partitions`: per partition offsets as in `Position`, and `lag`, the records not yet written (null before the first
    fetch). `backpressure`: whether the intake is stopped, `waiting_for`: why a tick is being tried again;
    `stages`: CPU seconds by stage since the start.
    """
    return {
        "pid": os.getpid(),
        "updated_at": now,
        "backpressure": pending.full,
        "waiting_for": waiting_for,
        "pending": {"slices": pending.slices, "records": pending.records},
        "ticks": {
            "count": ticks.ticks,
            "slices": ticks.slices,
            "records": ticks.records,
            "last_at": ticks.last_at,
            "last_seconds": round(ticks.last_seconds, 4),
        },
        "stages": {name: round(seconds, 3) for name, seconds in stages.items()},
        "partitions": [{**asdict(p), "epoch": logs[p.topic].epoch, "lag": _lag(p)} for p in positions],
    }


def _lag(position: Position) -> int | None:
    return None if position.end is None else max(0, position.end - position.written)


def _replace(path: Path, text: str) -> None:
    """Readers see the old text or the new one, never a part; so do several workers that share a folder."""
    draft = path.with_suffix(f"{path.suffix}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)
