"""Looks for a short schedule that a mutation makes fail: `python -m tests.merge.hunt NAME [FIRST_SEED] [SCHEDULES]`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.merge.answers import WrongAnswer
from tests.merge.mutations import MUTATIONS
from tests.merge.schedules import Schedule, draw, play
from tests.merge.store import Store, opened

LENGTH = 40


def fails(store: Store, schedule: Schedule, name: str) -> bool:
    with MUTATIONS[name](store):
        try:
            play(store, schedule)
        except WrongAnswer:
            return True
    return False


def shrink(store: Store, schedule: Schedule, name: str) -> Schedule:
    """Drops ever smaller pieces while it still fails."""
    size = len(schedule) // 2
    while size:
        kept = 0
        while kept < len(schedule):
            shorter = schedule[:kept] + schedule[kept + size :]
            if fails(store, shorter, name):
                schedule = shorter
            else:
                kept += size
        size //= 2
    return schedule


def main() -> None:
    name, first, count = sys.argv[1], int((sys.argv[2:] or ["0"])[0]), int((sys.argv[3:] or ["200"])[0])
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as store:
        for seed in range(first, first + count):
            schedule = draw(seed, LENGTH)
            if fails(store, schedule, name):
                sys.stdout.write(json.dumps({name: shrink(store, schedule, name)}) + "\n")
                return
        sys.stdout.write(f"{name}: not found in {count} schedules\n")


if __name__ == "__main__":
    main()
