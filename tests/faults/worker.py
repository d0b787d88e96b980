"""A worker with the group times of a test, and what else it is given: `python -m tests.faults.worker '<json>'`.

`times` replaces fields of `GroupTimes`, `skew` shifts the wall clock by seconds, `sabotage` takes a mechanism away.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from unittest import mock

import streams.__main__ as entry
from streams.app import GroupTimes, WorkerOptions
from tests.faults import sabotage


def main() -> None:
    """Prepare the process, then run the worker as it is."""
    given = json.loads(sys.argv[1])
    times = GroupTimes(**given.get("times", {}))
    mock.patch.object(entry, "WorkerOptions", functools.partial(WorkerOptions, group_times=times)).start()
    if skew := given.get("skew"):
        _skew_clock(skew)
    if name := given.get("sabotage"):
        sabotage.SABOTAGES[name]()
    entry.main()


def _skew_clock(seconds: float) -> None:
    """The wall clock of this process, as Python reads it, is off by so many seconds."""
    true_time, true_time_ns = time.time, time.time_ns
    time.time = lambda: true_time() + seconds
    time.time_ns = lambda: true_time_ns() + int(seconds * 1e9)


if __name__ == "__main__":
    main()
