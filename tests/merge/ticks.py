"""One tick of the engine, write for write, by whoever does the writing."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TypeVar

from streams.engine import Engine
from streams.facts import Facts
from streams.records import Records
from streams.writes import SESSIONS, Write, Writes, of_step

_Found = TypeVar("_Found")


def writes(engine: Engine, records: Records) -> Iterator[Write]:
    """The writes of both halves of a tick, each to be written before the next is asked for."""
    facts = yield from _each(engine.facts.steps(records))
    yield from sessions_of(facts)
    yield from _each(engine.derivation.steps(facts))


def sessions_of(facts: Facts) -> Writes:
    """What is written of a tick as soon as its facts are stored."""
    return of_step((SESSIONS,), {SESSIONS: facts.sessions})


def _each(steps: Generator[Writes, None, _Found]) -> Generator[Write, None, _Found]:
    while True:
        try:
            step = next(steps)
        except StopIteration as ended:
            found: _Found = ended.value
            return found
        yield from step
