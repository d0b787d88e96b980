"""A worker with what a test gives it: a group and group times of its own, another clock, or a mechanism taken away."""

from __future__ import annotations

import functools
import time
from typing import Any
from unittest import mock

import streams.__main__ as entry
from streams.app import GroupTimes, WorkerOptions
from tests.faults.sabotage import SABOTAGES


def run(given: dict[str, Any]) -> None:
    """Prepare this process, then run the worker as it is.

    `group` replaces the consumer group, `times` fields of `GroupTimes`; `skew` shifts the wall clock by seconds;
    `sabotage` names a mechanism to take away.
    """
    options = functools.partial(WorkerOptions, group_times=GroupTimes(**given.get("times", {})))
    mock.patch.object(entry, "WorkerOptions", options).start()
    mock.patch.object(entry, "GROUP", given.get("group", entry.GROUP)).start()
    if skew := given.get("skew"):
        _skew_clock(skew)
    if name := given.get("sabotage"):
        SABOTAGES[name]()
    entry.main()


def _skew_clock(seconds: float) -> None:
    """The wall clock of this process, as Python reads it, is off by so many seconds."""
    true_time, true_time_ns = time.time, time.time_ns
    mock.patch.object(time, "time", lambda: true_time() + seconds).start()
    mock.patch.object(time, "time_ns", lambda: true_time_ns() + int(seconds * 1e9)).start()
