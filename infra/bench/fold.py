"""The fold alone, in one process: decode, sessions and 5-minute counts, with nothing written.

    python -m infra.bench.fold --events 2000000 --open 100000

Prints one JSON object. `events_per_second` is by the clock, over the second half, when libraries are warm;
`cpu_us` is CPU time of an event, by stage.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from datetime import timedelta

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


def run(size: WorkloadSize, per_tick: int) -> dict[str, object]:
    """Folds the workload; figures are of the second half, when as many visits are open as there will be."""
    partitions = {USER_EVENTS.name: USER_EVENTS.partitions, TRANSACTIONS.name: TRANSACTIONS.partitions}
    begin = time.time() - size.events / size.events_per_second
    workload = Workload(size, 1, round(begin * 1_000), _IDS, partitions)
    fold, log = Fold(), Log(USER_EVENTS.partitions)
    blocks = [block for block in workload.blocks(per_tick) if block.topic == USER_EVENTS.name]
    ticks = [log.slices(block) for block in blocks]
    warm = max(min(_WARM_TICKS, len(ticks) - 1), len(ticks) // 2)
    for tick in ticks[:warm]:
        fold.tick(tick)
    fold.stages.clear()
    began, events = time.monotonic(), sum(len(block) for block in blocks[warm:])
    for tick in ticks[warm:]:
        fold.tick(tick)
    seconds = time.monotonic() - began
    spent = {stage: round(cpu / events * 1e6, 3) for stage, cpu in fold.stages.items()}
    return {
        "events_per_second": round(events / seconds),
        "events_per_cpu_second": round(events / sum(fold.stages.values())),
        "cpu_us": {**spent, "all": round(sum(spent.values()), 3)},
        "groups_in_memory": len(fold.memory.sessions.seen),
        "memory_mib": fold.memory.bytes >> 20,
        "process_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Prints the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--open", type=int, default=100_000)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--tick", type=int, default=50_000)
    given = parser.parse_args()
    size = WorkloadSize(given.events, open_visits=given.open, products=given.products)
    sys.stdout.write(json.dumps(run(size, given.tick)) + "\n")


if __name__ == "__main__":
    main()
