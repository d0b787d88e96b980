"""One tick of the engine, write for write, by whoever does the writing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from streams.engine import Engine
from streams.records import Records
from streams.writes import Write, Writes


def writes(engine: Engine, records: Records) -> Iterator[Write]:
    """The writes of both halves of a tick, each to be written before the next is asked for."""
    return chain.from_iterable(_steps(engine, records))


def _steps(engine: Engine, records: Records) -> Iterator[Writes]:
    facts = yield from engine.facts.steps(records)
    yield from engine.derivation.steps(facts)
