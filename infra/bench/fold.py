"""The fold alone: decode, sessions and 5-minute counts, with nothing written.

    python -m infra.bench.fold --events 2000000 --open 100000 --processes 2

Prints one JSON object. `events_per_second` is by the clock, over the second half, when libraries are warm;
`cpu_us` is CPU time of an event, by stage. With several processes each has partitions, and visits, of its own, as
workers of one group have; all begin their second half at one moment, and the clock runs until the last has ended.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from operator import itemgetter
from typing import Any

import numpy as np

from infra.bench.workload import Block, Workload, WorkloadSize
from schemas.codec import WriterSchema, writer_schema
from schemas.frames import empty
from schemas.lateness import Horizon
from schemas.sessions import SessionRules
from schemas.subjects import subject
from schemas.topics import TRANSACTIONS, USER_EVENTS
from streams import sessions
from streams.intake import Intake
from streams.memory import Memory, MemoryLimits
from streams.sessions import STATE_COLUMNS
from streams.slices import Slice
from streams.stages import Stages

_IDS = {("user-event", 1): 1, ("user-event", 2): 2, ("transaction", 1): 3, ("transaction", 2): 4}
_WARM_TICKS = 3
_LONGEST_SECONDS = 900


def _schema(schema_id: int) -> WriterSchema:
    name, version = next(key for key, number in _IDS.items() if number == schema_id)
    found = writer_schema(schema_id, subject(name).version(version).text)
    if not isinstance(found, WriterSchema):
        raise TypeError(found.message)
    return found


class Log:
    """Cuts blocks into slices, one per partition, as if fetched now."""

    def __init__(self, partitions: int) -> None:
        self._next = [0] * partitions

    def slices(self, block: Block) -> list[Slice]:
        """The block's records by partition, with offsets on from the block before."""
        order = np.argsort(block.partitions, kind="stable")
        bounds = np.searchsorted(block.partitions[order], np.arange(len(self._next) + 1))
        now = round(time.time() * 1_000)
        return [
            self._slice(block, partition, order[bounds[partition] : bounds[partition + 1]].tolist(), now)
            for partition in range(len(self._next))
            if bounds[partition] < bounds[partition + 1]
        ]

    def _slice(self, block: Block, partition: int, rows: list[int], now: int) -> Slice:
        first = self._next[partition]
        self._next[partition] = end = first + len(rows)
        return Slice(
            topic=block.topic,
            epoch=1,
            partition=partition,
            first_offset=first,
            next_offset=end,
            offsets=list(range(first, end)),
            append_times=[now] * len(rows),
            keys=[block.keys[row] for row in rows],
            values=[block.values[row] for row in rows],
        )


class Fold:
    """The worker's decode and folds over its memory; the store is taken to be empty."""

    def __init__(self) -> None:
        self.stages = Stages()
        self.memory = Memory(MemoryLimits(4_000_000, 40_000_000, 1_000_000, 4_000_000))
        self._intake, self._rules = Intake(_schema), SessionRules()
        self._horizon = timedelta(days=Horizon(7).days)

    def tick(self, slices: list[Slice]) -> None:
        """Folds one tick into memory."""
        memory, stages = self.memory, self.stages
        with stages("decode"):
            records = self._intake(slices)
        with stages("sessions"):
            nothing = empty(STATE_COLUMNS)
            change = sessions.apply(memory.sessions, records.events, lambda _: nothing, self._rules, self._horizon)
        with stages("products"):
            windows = memory.windows.apply(change.used, lambda missing: missing)
        with stages("remember"):
            memory.sessions.take_in(change.news, change.fragments, memory.stamp)
            memory.windows.take_in(windows)


@dataclass(frozen=True)
class Part:
    """One process of several: `meet` returns when all are ready for their second half."""

    number: int = 0
    of: int = 1
    meet: Callable[[], object] = lambda: None


def run(size: WorkloadSize, per_tick: int, part: Part = Part()) -> dict[str, Any]:
    """Folds the workload; figures are of the second half, when as many visits are open as there will be."""
    partitions = {USER_EVENTS.name: USER_EVENTS.partitions // part.of, TRANSACTIONS.name: TRANSACTIONS.partitions}
    begin = time.time() - size.events / size.events_per_second
    workload = Workload(size, 1 + part.number, round(begin * 1_000), _IDS, partitions)
    fold, log = Fold(), Log(partitions[USER_EVENTS.name])
    blocks = [block for block in workload.blocks(per_tick) if block.topic == USER_EVENTS.name]
    ticks = [log.slices(block) for block in blocks]
    warm = max(min(_WARM_TICKS, len(ticks) - 1), len(ticks) // 2)
    for tick in ticks[:warm]:
        fold.tick(tick)
    fold.stages.clear()
    part.meet()
    began, events = time.monotonic(), sum(len(block) for block in blocks[warm:])
    for tick in ticks[warm:]:
        fold.tick(tick)
    ended = time.monotonic()
    spent = {stage: round(cpu / events * 1e6, 3) for stage, cpu in fold.stages.items()}
    return {
        "events_per_second": round(events / (ended - began)),
        "events_per_cpu_second": round(events / sum(fold.stages.values())),
        "cpu_us": {**spent, "all": round(sum(spent.values()), 3)},
        "groups_in_memory": len(fold.memory.sessions.seen),
        "memory_mib": fold.memory.bytes >> 20,
        "process_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "load": os.getloadavg()[0],
        "clock": (began, ended, events),
    }


def run_together(size: WorkloadSize, per_tick: int, processes: int) -> dict[str, Any]:
    """The same work by so many processes at once; CPU time and memory are those of the first."""
    share = replace(
        size,
        events=size.events // processes,
        open_visits=size.open_visits // processes,
        events_per_second=size.events_per_second / processes,
    )
    context = multiprocessing.get_context("spawn")
    barrier, found = context.Barrier(processes), context.Queue()
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # one process for each core
    started = [
        context.Process(target=_run_part, args=(share, per_tick, number, processes, barrier, found))
        for number in range(processes)
    ]
    for process in started:
        process.start()
    figures = sorted((found.get(timeout=_LONGEST_SECONDS) for _ in started), key=itemgetter("number"))
    for process in started:
        process.join()
    began, ended, events = zip(*(each["clock"] for each in figures), strict=True)
    together = {"events_per_second": round(sum(events) / (max(ended) - min(began))), "processes": processes}
    return {**figures[0], **together}


def _run_part(
    size: WorkloadSize, per_tick: int, number: int, of: int, barrier: Barrier, found: Queue[dict[str, Any]]
) -> None:
    part = Part(number, of, lambda: barrier.wait(_LONGEST_SECONDS))
    found.put({**run(size, per_tick, part), "number": number})


def main() -> None:
    """Prints the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--open", type=int, default=100_000)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--tick", type=int, default=50_000)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    size = WorkloadSize(given.events, open_visits=given.open, products=given.products)
    found = run_together(size, given.tick, given.processes) if given.processes > 1 else run(size, given.tick)
    sys.stdout.write(json.dumps({name: figure for name, figure in found.items() if name != "clock"}) + "\n")


if __name__ == "__main__":
    main()
