"""Schedules: lists of (operation, seed), played on the world."""

from __future__ import annotations

import random

from tests.merge.answers import WrongAnswer, check
from tests.merge.store import Store
from tests.merge.world import World

Schedule = list[tuple[str, int]]

WEIGHTS = {
    "produce": 30,
    "clock": 12,
    "tick": 14,
    "part_of_tick": 8,
    "crash": 3,
    "pause": 3,
    "resume": 8,
    "evict": 5,
    "land": 4,
    "part_of_land": 6,
    "batch": 7,
    "part_of_batch": 8,
    "wipe": 0.4,
    "check": 3,
}


def draw(seed: int, length: int) -> Schedule:
    """A random schedule."""
    rng = random.Random(seed)
    names = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length)
    return [(name, rng.getrandbits(30)) for name in names]


def play(store: Store, schedule: Schedule) -> World:
    """Plays it on an empty store, checking where it says so and when all is quiet at the end. Raises `WrongAnswer`."""
    store.clear()
    world = World(store)
    for name, seed in schedule:
        if name == "check":
            settled(world)
        else:
            getattr(world, name)(random.Random(seed))
    check(world)
    settled(world)
    return world


def settled(world: World) -> None:
    """Lets the worker catch up, which it always can unless something was lost, and checks."""
    if not world.settle() and not world.incarnation:
        raise WrongAnswer("nothing was lost, but the worker does not catch up")
    check(world)
