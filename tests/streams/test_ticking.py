import asyncio
import threading
from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import Any

import pytest

from streams.errors import TickFailed, TickStuck
from streams.ledger import Committable, Ledger
from streams.pending import Delivery, Pending, PendingLimits
from streams.slices import Slice
from streams.ticking import Ticker, TickPolicy
from streams.trying import Patience
from tests.streams.test_ledger import part


class Scripted:
    """An engine that notes the calls of one half, which raises `outcomes` one after the other; None means success."""

    def __init__(self, *outcomes: Exception | None, half: str = "begin") -> None:
        self.outcomes = list(outcomes)
        self.half = half
        self.apart: set[int] = set()
        self.calls: list[object] = []
        self.gate = threading.Event()
        self.gate.set()
        self.threads: set[int] = set()
        self.on_tick: Callable[[], None] = lambda: None

    def begin(self, slices: Sequence[Slice]) -> Sequence[Slice]:
        self._play("begin", slices)
        return slices

    def follows(self, begun: Sequence[Slice]) -> bool:
        return begun[0].partition not in self.apart

    def finish(self, ticks: Sequence[Sequence[Slice]]) -> None:
        self._play("finish", [each for begun in ticks for each in begun])

    def _play(self, half: str, slices: Sequence[Slice]) -> None:
        if half != self.half:
            return
        self.threads.add(threading.get_ident())
        self.on_tick()
        self.calls.append([(s.partition, s.first_offset) for s in slices])
        assert self.gate.wait(10)
        if self.outcomes and (outcome := self.outcomes.pop(0)) is not None:
            raise outcome

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        self.calls.append((topic, list(partitions)))


class Bench:
    """A ticker whose time is its sleeps: it stops after so many."""

    def __init__(self, engine: Scripted, sleeps: int, patience: dict[str, float] | None = None, **policy: Any) -> None:
        self.slept: list[float] = []
        self.paces: list[float] = []
        self.now = 0.0
        self.ledger = Ledger()
        self.pending = Pending(self.ledger, PendingLimits())
        self.on_sleep: Callable[[], None] = lambda: None
        self._sleeps = sleeps
        self.ticker = Ticker(
            engine,
            self.ledger,
            self.pending,
            TickPolicy(patience=Patience(attempts=3, **(patience or {})), **({"finish_interval": 0.0} | policy)),
            should_stop=lambda: len(self.slept) >= self._sleeps,
            sleep=self._sleep,
            clock=lambda: self.now,
            random=Random(3),
            waits=(ConnectionError,),
            pace=self.paces.append,
        )

    async def deliver(self, first: int, end: int, partition: int = 0, generation: int = 0) -> None:
        item = part(first, end, partition)
        self.ledger.delivered(item, generation)
        await self.pending.put([Delivery(item, generation)])

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.on_sleep()
        await asyncio.sleep(0)


async def test_one_tick_takes_the_slices_of_all_partitions() -> None:
    engine = Scripted()
    bench = Bench(engine, sleeps=1)
    await bench.deliver(0, 3)
    await bench.deliver(0, 2, partition=1)
    await bench.deliver(3, 5)
    await bench.ticker.run()
    assert engine.calls == [[(0, 0), (1, 0), (0, 3)]]
    assert bench.ledger.committable(("events", 0)) == Committable(5, 4)
    assert (bench.ticker.stats.ticks, bench.ticker.stats.slices, bench.ticker.stats.records) == (1, 3, 7)
    assert threading.get_ident() not in engine.threads


async def test_what_a_fetch_brings_topic_by_topic_is_in_one_tick() -> None:
    engine = Scripted()
    bench = Bench(engine, sleeps=2)
    rest: list[asyncio.Task[None]] = []
    bench.on_sleep = lambda: rest.append(asyncio.create_task(bench.deliver(0, 2, partition=1))) if not rest else None
    running = asyncio.create_task(bench.ticker.run())
    await asyncio.sleep(0)
    await bench.deliver(0, 3)
    await running
    assert engine.calls == [[(0, 0), (1, 0)]]


async def test_fetches_are_paced_by_what_ticks_take_and_come_a_little_later() -> None:
    engine = Scripted()
    bench = Bench(engine, sleeps=1_000, interval=0.1, share=0.8)

    def pass_time(seconds: float) -> None:
        bench.now += seconds

    engine.on_tick = lambda: pass_time(0.4)
    bench.on_sleep = lambda: pass_time(bench.slept[-1])
    running = asyncio.create_task(bench.ticker.run())
    for first in range(40):
        await bench.deliver(first, first + 1)
        while len(bench.paces) <= first:
            await asyncio.sleep(0.001)
    running.cancel()
    assert 0.1 < bench.paces[0] < 0.3
    assert bench.paces == sorted(bench.paces)
    assert 1.1 * 0.5 < bench.paces[-1] < 1.3 * 0.5


@pytest.mark.parametrize("half", ["begin", "finish"])
async def test_a_sink_that_is_down_is_waited_for_beyond_the_bound_of_failures(half: str) -> None:
    engine = Scripted(*[ConnectionError("down")] * 20, half=half)
    bench = Bench(engine, sleeps=21, patience={"backoff_first": 1.0, "backoff_most": 8.0})
    await bench.deliver(0, 3)
    await bench.ticker.run()
    assert engine.calls == [[(0, 0)]] * 21
    assert bench.ledger.committable(("events", 0)) == Committable(3, 2)
    assert bench.ticker.waiting_for is None
    assert all(4.0 <= seconds <= 8.0 for seconds in bench.slept[5:20])
    assert len(set(bench.slept[5:20])) > 1


@pytest.mark.parametrize("half", ["begin", "finish"])
async def test_a_tick_that_keeps_failing_ends_the_worker_and_names_the_slices(half: str) -> None:
    bench = Bench(Scripted(*[ValueError("bug")] * 3, half=half), sleeps=100)
    await bench.deliver(0, 3)
    with pytest.raises(TickFailed, match=r"events/0\[0\.\.3\)") as failed:
        await bench.ticker.run()
    assert failed.value.attempts == 3
    assert isinstance(failed.value.__cause__, ValueError)
    assert bench.ledger.committable(("events", 0)) is None


@pytest.mark.parametrize("half", ["begin", "finish"])
async def test_a_tick_that_hangs_ends_the_worker(half: str) -> None:
    engine = Scripted(half=half)
    engine.gate.clear()
    bench = Bench(engine, sleeps=1, patience={"deadline": 0.01})
    await bench.deliver(0, 3)
    with pytest.raises(TickStuck, match=r"events/0\[0\.\.3\)"):
        await bench.ticker.run()
    engine.gate.set()


@pytest.mark.parametrize(("waiting", "begins"), [(3, 0.8), (10, 0.4)])
async def test_slow_ticks_leave_time_to_others_until_many_records_wait(waiting: int, begins: float) -> None:
    engine = Scripted()
    bench = Bench(engine, sleeps=100, enough=10, share=0.5)
    await bench.deliver(0, 3)
    engine.gate.clear()
    running = asyncio.create_task(bench.ticker.run())
    while not engine.calls:
        await asyncio.sleep(0.001)
    await bench.deliver(3, 3 + waiting)
    bench.now = 0.4

    def pass_time() -> None:
        bench.now = min(bench.now + bench.slept[-1], 0.8)

    began: list[float] = []
    bench.on_sleep = pass_time
    engine.on_tick = lambda: began.append(bench.now)
    engine.gate.set()
    while not began:
        await asyncio.sleep(0.001)
    running.cancel()
    assert began[0] == begins


class Ahead:
    """Ticks of one record each, of which the first is held up in its second half."""

    def __init__(self, engine: Scripted, sleeps: int = 1_000, **policy: Any) -> None:
        self.engine = engine
        self.begun: list[int] = []
        engine.gate.clear()
        engine.begin = self._begin  # type: ignore[method-assign]
        self.bench = Bench(engine, sleeps, **policy)
        self.running = asyncio.create_task(self.bench.ticker.run())

    def _begin(self, slices: Sequence[Slice]) -> Sequence[Slice]:
        self.begun.append(slices[0].first_offset)
        return slices

    async def deliver(self, count: int, apart: int | None = None) -> None:
        for first in range(count):
            await self.bench.deliver(first, first + 1, partition=1 if first == apart else 0)
            await asyncio.sleep(0.05)

    async def finish(self, second_halves: int) -> None:
        self.engine.gate.set()
        while len(self.engine.calls) < second_halves:
            await asyncio.sleep(0.001)
        await self.bench.ticker.settle(10)
        self.running.cancel()


async def test_ticks_begin_while_one_is_finished_up_to_a_bound_and_are_finished_together() -> None:
    ahead = Ahead(Scripted(half="finish"), ahead=2)
    await ahead.deliver(4)
    assert (ahead.begun, ahead.engine.calls) == ([0, 1, 2], [[(0, 0)]])
    assert ahead.bench.ledger.committable(("events", 0)) is None
    await ahead.finish(3)
    assert ahead.begun == [0, 1, 2, 3]
    assert ahead.engine.calls == [[(0, 0)], [(0, 1), (0, 2)], [(0, 3)]]
    assert ahead.bench.ledger.committable(("events", 0)) == Committable(4, 3)
    assert ahead.bench.ticker.stats.ticks == 4


async def test_a_tick_that_does_not_follow_is_finished_apart() -> None:
    engine = Scripted(half="finish")
    engine.apart = {1}
    ahead = Ahead(engine)
    await ahead.deliver(5, apart=3)
    await ahead.finish(3)
    assert engine.calls == [[(0, 0)], [(0, 1), (0, 2)], [(1, 3), (0, 4)]]


async def test_nothing_is_finished_past_a_tick_that_is_given_up_at_the_end() -> None:
    ahead = Ahead(Scripted(ConnectionError("down"), half="finish"), sleeps=5)
    await ahead.deliver(3)
    ahead.engine.gate.set()
    await ahead.running
    assert (ahead.begun, ahead.engine.calls) == ([0, 1, 2], [[(0, 0)]])
    assert ahead.bench.ledger.committable(("events", 0)) is None


async def test_second_halves_leave_time_between_them() -> None:
    engine = Scripted(half="finish")
    bench = Bench(engine, sleeps=100, finish_interval=0.5)
    began: list[float] = []
    engine.on_tick = lambda: began.append(bench.now)

    def pass_time() -> None:
        bench.now += bench.slept[-1]

    bench.on_sleep = pass_time
    running = asyncio.create_task(bench.ticker.run())
    for first in (0, 1):
        await bench.deliver(first, first + 1)
        while len(began) <= first:
            await asyncio.sleep(0.001)
    running.cancel()
    assert began[1] >= 0.5


async def test_what_began_is_not_begun_again_when_its_second_half_fails() -> None:
    engine = Scripted(ConnectionError("down"), half="finish")
    first = Scripted()
    engine.begin = first.begin  # type: ignore[method-assign]
    bench = Bench(engine, sleeps=2)
    await bench.deliver(0, 3)
    await bench.ticker.run()
    assert (first.calls, engine.calls) == ([[(0, 0)]], [[(0, 0)]] * 2)
    assert bench.ledger.committable(("events", 0)) == Committable(3, 2)


async def test_a_lost_partition_is_forgotten_before_the_next_tick() -> None:
    engine = Scripted()
    bench = Bench(engine, sleeps=1)
    await bench.deliver(0, 3)
    bench.ledger.dropped([("events", 0), ("events", 1)], 0)
    bench.ticker.lost([("events", 1), ("events", 0)])
    await bench.deliver(0, 2, generation=1)
    await bench.ticker.run()
    assert engine.calls == [("events", [0, 1]), [(0, 0)]]
    assert bench.ledger.committable(("events", 0)) == Committable(2, 1)


async def test_a_failed_tick_is_not_tried_again_for_a_partition_that_was_lost() -> None:
    engine = Scripted(ConnectionError("down"))
    bench = Bench(engine, sleeps=2)
    await bench.deliver(0, 3)
    await bench.deliver(0, 2, partition=1)

    def lose() -> None:
        bench.ledger.dropped([("events", 0)], 0)
        bench.ticker.lost([("events", 0)])

    bench.on_sleep = lose
    await bench.ticker.run()
    assert engine.calls[:3] == [[(0, 0), (1, 0)], ("events", [0]), [(1, 0)]]


async def test_a_tick_that_ends_after_its_partition_was_lost_commits_nothing() -> None:
    engine = Scripted(half="finish")
    engine.gate.clear()
    bench = Bench(engine, sleeps=1)
    await bench.deliver(0, 3)
    running = asyncio.create_task(bench.ticker.run())
    while not engine.calls:
        await asyncio.sleep(0.001)
    await bench.ticker.settle(0.01)
    bench.ledger.dropped([("events", 0)], 0)
    bench.ticker.lost([("events", 0)])
    await bench.deliver(0, 3, generation=1)
    engine.gate.set()
    await bench.ticker.settle(10)
    assert bench.ledger.committable(("events", 0)) is None
    await running
