"""The fold alone: decode, sessions and 5-minute counts, with nothing written.

    python -m infra.bench.fold --events 2000000 --open 100000 --processes 2

Prints one JSON object. `events_per_second` is by the clock, of the ticks of the second half, when libraries are warm;
`cpu_us` is CPU time of an event, by stage; `memory_mib` is what the memory of the fold takes by its own account, and
`process_mib` what the process grew by. With several processes each has partitions, and visits, of its own, as workers
of one group have; all begin their second half at one moment, each busy with ticks or with making the next, and their
rates are added.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
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
import psutil

from infra.allocation import collect_rarely
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
from streams.popularity import WindowMemory
from streams.sessions import STATE_COLUMNS
from streams.slices import Slice
from streams.stages import Stages

_IDS = {("user-event", 1): 1, ("user-event", 2): 2, ("transaction", 1): 3, ("transaction", 2): 4}
_LEAST_TICKS = 4
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
        self.stages = Stages(time.process_time)
        self.memory, self.windows = Memory(MemoryLimits(4_000_000, 40_000_000, 1_000_000)), WindowMemory()
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
            counted = self.windows.apply(change.used, lambda missing: missing)
        with stages("remember"):
            memory.sessions.take_in(change.news, change.fragments, memory.stamp)
            self.windows.take_in(counted)


@dataclass(frozen=True)
class Part:
    """One process of several: `meet` returns when all are ready for their second half."""

    number: int
    of: int
    meet: Callable[[], object]


def run(size: WorkloadSize, per_tick: int, part: Part) -> dict[str, Any]:
    """Folds the workload; figures are of the second half, when as many visits are open as there will be."""
    collect_rarely()
    partitions = {USER_EVENTS.name: USER_EVENTS.partitions // part.of, TRANSACTIONS.name: TRANSACTIONS.partitions}
    begin = time.time() - size.events / size.events_per_second
    workload = Workload(size, 1 + part.number, round(begin * 1_000), _IDS, partitions)
    fold, log = Fold(), Log(partitions[USER_EVENTS.name])
    resident, seconds, folded, measured = psutil.Process().memory_info().rss, 0.0, 0, 0
    for block in workload.blocks(min(per_tick, size.events // _LEAST_TICKS)):
        if block.topic != USER_EVENTS.name:
            continue
        is_warm = folded >= size.events // 2
        if is_warm and not measured:
            part.meet()
            fold.stages.clear()
            seconds = 0.0
        slices, began = log.slices(block), time.monotonic()
        fold.tick(slices)
        seconds += time.monotonic() - began
        measured += len(block) if is_warm else 0
        folded += len(block)
    spent = {stage: round(cpu / measured * 1e6, 3) for stage, cpu in fold.stages.items()}
    return {
        "events_per_second": round(measured / seconds),
        "events_per_cpu_second": round(measured / sum(fold.stages.values())),
        "cpu_us": {**spent, "all": round(sum(spent.values()), 3)},
        "groups_in_memory": len(fold.memory.sessions.seen),
        "memory_mib": (fold.memory.bytes + fold.windows.bytes) >> 20,
        "process_mib": (psutil.Process().memory_info().rss - resident) >> 20,
        "load": os.getloadavg()[0],
    }


def run_together(size: WorkloadSize, per_tick: int, processes: int) -> dict[str, Any]:
    """The same work by so many processes at once, each on one core; CPU time and memory are those of the first."""
    share = replace(
        size,
        events=size.events // processes,
        open_visits=size.open_visits // processes,
        events_per_second=size.events_per_second / processes,
    )
    context = multiprocessing.get_context("spawn")
    barrier, found = context.Barrier(processes), context.Queue()
    started = [
        context.Process(target=_run_part, args=(share, per_tick, number, processes, barrier, found))
        for number in range(processes)
    ]
    for process in started:
        process.start()
    figures = sorted((found.get(timeout=_LONGEST_SECONDS) for _ in started), key=itemgetter("number"))
    for process in started:
        process.join()
    rate = sum(each["events_per_second"] for each in figures)
    return {**figures[0], "events_per_second": rate, "processes": processes}


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
    sys.stdout.write(json.dumps(run_together(size, given.tick, given.processes)) + "\n")


if __name__ == "__main__":
    main()
