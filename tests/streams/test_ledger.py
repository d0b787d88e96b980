from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.errors import OverlappingSlice
from streams.ledger import Committable, Ledger
from streams.slices import Slice

KEY = "events", 0


def part(first: int, end: int, partition: int = 0) -> Slice:
    count = end - first
    times = list(range(first, end))
    return Slice("events", 1, partition, first, end, times, times, [None] * count, [None] * count)


def test_nothing_is_committable_before_something_is_written() -> None:
    ledger = Ledger()
    ledger.delivered(part(0, 5), 0)
    assert ledger.committable(KEY) is None


def test_a_slice_that_is_not_written_holds_the_commit_back() -> None:
    ledger = Ledger()
    slices = [part(0, 5), part(5, 8), part(8, 9)]
    for item in slices:
        ledger.delivered(item, 0)
    ledger.written(slices[0], 0)
    ledger.written(slices[2], 0)
    assert ledger.committable(KEY) == Committable(5, 4)
    ledger.written(slices[1], 0)
    assert ledger.committable(KEY) == Committable(9, 8)


def test_a_write_that_ends_after_its_partition_was_lost_moves_nothing() -> None:
    ledger = Ledger()
    item = part(0, 5)
    ledger.delivered(item, 1)
    ledger.dropped([KEY], 1)
    assert not ledger.holds(item, 1)
    ledger.delivered(item, 2)
    ledger.written(item, 1)
    assert ledger.committable(KEY) is None
    ledger.written(item, 2)
    assert ledger.committable(KEY) == Committable(5, 4)


def test_a_slice_of_a_lost_generation_is_not_taken_in() -> None:
    ledger = Ledger()
    ledger.dropped([KEY], 3)
    assert not ledger.delivered(part(0, 5), 3)
    assert ledger.partitions() == []


def test_slices_may_not_overlap() -> None:
    ledger = Ledger()
    ledger.delivered(part(0, 5), 0)
    with pytest.raises(OverlappingSlice, match="restart the worker"):
        ledger.delivered(part(4, 6), 0)


@dataclass
class Held:
    """What the obvious ledger knows of a partition: slices delivered in this generation, and which are written."""

    generation: int
    slices: list[tuple[Slice, bool]] = field(default_factory=list)

    def committable(self) -> Committable | None:
        answer = None
        for item, written in self.slices:
            if not written:
                break
            answer = Committable(item.next_offset, item.append_times[-1])
        return answer


class AgainstObvious(RuleBasedStateMachine):
    """Any order of deliveries, writes (also stale ones, also twice) and losses, against the obvious ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.generation = 0
        self.held: dict[int, Held] = {}
        self.handed: list[tuple[Slice, int]] = []

    @rule(partition=st.integers(0, 1), count=st.integers(1, 3), hole=st.integers(0, 2))
    def deliver(self, partition: int, count: int, hole: int) -> None:
        held = self.held.setdefault(partition, Held(self.generation))
        first = (held.slices[-1][0].next_offset if held.slices else 0) + hole
        item = part(first, first + count, partition)
        assert self.ledger.delivered(item, held.generation)
        held.slices.append((item, False))
        self.handed.append((item, held.generation))

    @precondition(lambda self: self.handed)
    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        item, generation = data.draw(st.sampled_from(self.handed))
        self.ledger.written(item, generation)
        held = self.held.get(item.partition)
        if held is not None and held.generation == generation:
            held.slices = [(s, w or s is item) for s, w in held.slices]

    @rule(partitions=st.sets(st.integers(0, 1), min_size=1))
    def lose(self, partitions: set[int]) -> None:
        self.ledger.dropped([("events", p) for p in partitions], self.generation)
        self.generation += 1
        for partition in partitions:
            self.held.pop(partition, None)

    @invariant()
    def agrees(self) -> None:
        for partition in (0, 1):
            held = self.held.get(partition)
            assert self.ledger.committable(("events", partition)) == (held.committable() if held else None)
        for item, generation in self.handed:
            held = self.held.get(item.partition)
            assert self.ledger.holds(item, generation) == (held is not None and held.generation == generation)


TestAgainstObvious = AgainstObvious.TestCase
TestAgainstObvious.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
