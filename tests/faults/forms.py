"""The two forms of the suite: short for every change, long for a night."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

QUICK_TIMES = {"session": 3.0, "heartbeat": 0.4, "rebalance": 6.0, "request": 7.0, "commit": 0.5}
"""Group times of the workers of short forms, in seconds; those of long forms run with the product's own."""


@dataclass(frozen=True)
class Form:
    """How much is done. `session` is after how many seconds a silent worker is held to be dead."""

    name: str
    records: int
    kills: int
    session: float

    @property
    def long(self) -> bool:
        """Whether this is the long form."""
        return self.name == "long"

    def worker(self, given: dict[str, Any]) -> dict[str, Any] | None:
        """What `tests.faults.worker` is given; None for `python -m streams` as it is."""
        if self.long:
            return given or None
        return {"times": QUICK_TIMES, **given}


SHORT = Form("short", 6_000, 4, QUICK_TIMES["session"])
LONG = Form("long", 60_000, 20, 10.0)
