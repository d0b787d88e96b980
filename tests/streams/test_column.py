"""A growing column holds what a list would."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.column import Column

APPENDED = st.lists(st.tuples(st.integers(0, 9_000), st.booleans()), max_size=6)
"""How many numbers are appended, and whether each third is dropped afterwards."""


@given(APPENDED, st.sampled_from([(), (3,)]))
def test_it_holds_what_was_appended_and_not_dropped(steps: list[tuple[int, bool]], width: tuple[int, ...]) -> None:
    column, expected = Column(np.int64, *width), np.zeros((0, *width), np.int64)
    for number, (count, drops) in enumerate(steps):
        more = np.arange(count * (width[0] if width else 1)).reshape(count, *width) + number
        column.append(more)
        expected = np.concatenate([expected, more])
        if drops:
            kept = np.arange(len(expected)) % 3 != 0
            column.keep(kept)
            expected = expected[kept]
        assert len(column) == len(expected)
        assert np.array_equal(column.values, expected)


def test_what_is_written_in_place_stays() -> None:
    column = Column(np.int64)
    column.append(np.arange(3))
    column.values[1] = 7
    column.append(np.arange(10_000))
    assert column.values[:4].tolist() == [0, 7, 2, 0]
