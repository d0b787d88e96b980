"""Ticks of the speed layer: from the records of some slices to rows, written in order.

A tick has two halves. When the facts of one are stored, the next may begin, while the rows that follow are written.
Second halves come less often, each for all ticks that began meanwhile: what they cost hardly follows the records. Each
half has a memory of its own, which is as of all ticks before.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from infra.clients.clickhouse import Client
from schemas.alerts import AlertRules
from schemas.lateness import Horizon
from schemas.sessions import SessionRules
from streams.derived import Derivation
from streams.facts import FactFold, Facts, joined, sessions_of
from streams.memory import MemoryLimits
from streams.records import Records
from streams.slices import Slice
from streams.stages import Stages
from streams.writes import SESSIONS, Outputs, Write, Writes
from streams.writing import Writer, Writing


class Intake(Protocol):
    """Makes records of slices; raises when it could not reach what it needs, so that the tick is tried again."""

    def __call__(self, slices: Sequence[Slice]) -> Records:
        """Decodes and validates all records of the slices."""
        ...


class NoOutputs:
    """For whom the store is enough."""

    def send(self, write: Write) -> None:
        """Does nothing."""

    def confirm(self) -> None:
        """There is nothing to wait for."""


@dataclass
class Begun:
    """A tick whose facts are stored; the rows of its sessions are still being written, or again where that failed."""

    facts: Facts
    writing: Writing


class Engine:
    """Folds slices into rows of ClickHouse.

    `begin` and `forget` are for one thread, `finish` for another; ticks are finished in the order in which they began.
    Each half has a client of its own of `clients`, and some for inserts of `writers`: what a reader waits for most does
    not stand behind what is derived of it.
    """

    def __init__(
        self,
        clients: tuple[Client, Client],
        intake: Intake,
        rules: SessionRules,
        horizon: Horizon,
        outputs: Outputs | None = None,
        limits: MemoryLimits | None = None,
        alert_rules: AlertRules | None = None,
        writers: tuple[Sequence[Client], Sequence[Client]] | None = None,
    ) -> None:
        limits = limits or MemoryLimits()
        self._intake = intake
        self._outputs = outputs or NoOutputs()
        self.stages = Stages()
        self.facts = FactFold(clients[0], rules, horizon, limits, self.stages)
        self.derivation = Derivation(clients[1], alert_rules or AlertRules(), horizon, limits.windows, self.stages)
        first, second = writers or (clients[:1], clients[1:])
        self._write_first, self._write_second = Writer(first, self.stages), Writer(second, self.stages)

    def begin(self, slices: Sequence[Slice]) -> Begun:
        """The first half: returns when the facts are stored.

        Raises what the store or the registry raised, and `WaitForPublication`; it may then be done again.
        """
        with self.stages("decode"):
            records = self._intake(slices)
        return self._stored(self.facts.steps(records))

    def follows(self, begun: Begun) -> bool:
        """Whether the tick can be finished together with the one before it."""
        return not begun.facts.forgotten

    def finish(self, ticks: Sequence[Begun]) -> None:
        """The second half of ticks in a row: returns when all rows and the progress are written.

        Raises what the store or the outputs raised; it may then be done again.
        """
        steps = self.derivation.steps(joined([tick.facts for tick in ticks]))
        self._send(self._write_second(next(steps)))
        for tick in ticks:
            if tick.writing.failed():
                tick.writing = self._write_second(sessions_of(tick.facts))
            self._send(tick.writing)
        with self.stages("topics"):
            self._outputs.confirm()
        self._write_second(next(steps)).end()
        next(steps, None)

    def forget(self, topic: str, partitions: Collection[int]) -> None:
        """Drops the memory of partitions that were assigned or revoked; it is derived again from stored events."""
        self.facts.forget(topic, partitions)

    def _stored(self, steps: Generator[Writes, None, Facts]) -> Begun:
        writing = self._write_first(())
        while True:
            try:
                writes = next(steps)
            except StopIteration as ended:
                return Begun(ended.value, writing)
            writing = self._write_first(writes)
            writing.end(but=(SESSIONS,))

    def _send(self, writing: Writing) -> None:
        """Hands the rows on, right after their insert."""
        with closing(writing.acknowledged()) as written:
            for write in written:
                with self.stages("topics"):
                    self._outputs.send(write)
