"""The two forms of the suite: short for every change, long for a night."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

QUICK_TIMES = {"session": 3.0, "heartbeat": 0.4, "rebalance": 6.0, "request": 7.0, "commit": 0.5}
"""Group times of the workers of short forms, in seconds; those of long forms run with the product's own."""


@dataclass(frozen=True)
class Form:
    """How much is done: `records` of the plain load, `kills` and other repetitions, and pauses and outages of `outage`
    seconds. `session` is after how many seconds a silent worker is held to be dead; `rewind` counts records.
    """

    name: str
    records: int
    kills: int
    repeats: int
    outage: float
    session: float
    rewind: int

    @property
    def long(self) -> bool:
        """Whether this is the long form."""
        return self.name == "long"

    def worker(self, group: str, given: dict[str, Any]) -> dict[str, Any] | None:
        """What `tests.faults.worker` is given; None for `python -m streams` as it is."""
        if self.long:
            return {"group": group, **given} if given else None
        return {"group": group, "times": QUICK_TIMES, **given}


SHORT = Form("short", 3_000, kills=3, repeats=1, outage=3.0, session=QUICK_TIMES["session"], rewind=1_000)
LONG = Form("long", 60_000, kills=20, repeats=5, outage=30.0, session=10.0, rewind=10_000)
