"""What an owner had before, against pairing all rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.earlier import Rows, earlier

drawn_rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(-5, 100)), min_size=1, max_size=60)


@given(drawn_rows, st.randoms(use_true_random=False), st.integers(0, 8), st.data())
def test_counts_and_sums_are_those_of_pairs(drawn, random, history, data) -> None:  # type: ignore[no-untyped-def]
    offsets = list(range(10, 10 + len(drawn)))
    random.shuffle(offsets)
    owner, time, amount = (np.array(column, np.int64) for column in zip(*drawn, strict=True))
    rows = Rows(owner, np.array(offsets, np.int64), time, amount)
    asked = data.draw(st.lists(st.integers(0, len(drawn) - 1), unique=True))
    numbers = np.array(asked, np.int64)
    count, total = earlier(rows, numbers, time[numbers] - history)
    for at, row in enumerate(asked):
        before = [
            int(amount[other])
            for other in range(len(drawn))
            if owner[other] == owner[row]
            and offsets[other] < offsets[row]
            and time[row] - history <= time[other] < time[row]
        ]
        assert (count[at], total[at]) == (len(before), sum(before))


def test_one_owner_with_very_many_rows_takes_no_memory_for_pairs() -> None:
    many = np.arange(200_000, dtype=np.int64)
    rows = Rows(np.zeros_like(many), many, many, np.ones_like(many))
    count, total = earlier(rows, many, many - 10)
    assert (count == np.minimum(many, 10)).all()
    assert (total == count).all()
