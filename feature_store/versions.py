"""The order of values of one entity: which of two writes is newer, whoever makes them and whenever they arrive.

Cassandra keeps, of two writes of a cell, the one with the greater timestamp. That number is made here from the value's
event time, and of one event time from when it was known, so that a value which is late, or replayed, loses.
"""

from __future__ import annotations

import math

_TIE_BITS, _STEPS_PER_DOUBLING = 21, 2**16
_MOST = 2**_TIE_BITS - 1


def version(event_ms: int, known_ms: int | None = None) -> int:
    """The version of a value, which fits 63 bits until the year 2109.

    `event_ms` decides; of one event time the later `known_ms` wins. How much later is kept as a logarithm, to two
    parts in 100,000 (0.1 s after two hours, 2 s after a day), for up to 49 days; None is known at once.
    """
    lag = max(0, (event_ms if known_ms is None else known_ms) - event_ms)
    tie: int = min(_MOST, int(_STEPS_PER_DOUBLING * math.log2(1 + lag)))
    return (event_ms << _TIE_BITS) | tie


def event_of(number: int) -> int:
    """The event time that a version was made from, in milliseconds."""
    return number >> _TIE_BITS
