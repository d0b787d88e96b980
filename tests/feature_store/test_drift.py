"""The gate: nulls that grow and values that move keep a load offline."""

from __future__ import annotations

import math
import random

import polars as pl
import pytest

from feature_store.drift import Limits, judge, psi

LIMITS = Limits()


def numbers(mean: float, rows: int = 2_000, seed: int = 1) -> pl.DataFrame:
    rng = random.Random(seed)
    return pl.DataFrame({"f": [rng.gauss(mean, 1.0) for _ in range(rows)]})


def test_the_same_distribution_passes_and_a_moved_one_does_not() -> None:
    (steady,) = judge("v", numbers(0.0, seed=2), numbers(0.0), LIMITS)
    (moved,) = judge("v", numbers(2.0), numbers(0.0), LIMITS)
    assert steady.passed and steady.psi is not None and steady.psi < 0.05
    assert not moved.passed and "psi" in moved.reason


def test_psi_of_two_known_shares() -> None:
    old, new = pl.Series(["a"] * 50 + ["b"] * 50), pl.Series(["a"] * 80 + ["b"] * 20)
    expected = 0.3 * math.log(0.8 / 0.5) - 0.3 * math.log(0.2 / 0.5)
    assert psi(new, old) == pytest.approx(expected)
    assert psi(old, old) == 0.0


def test_nulls_may_not_grow_by_much() -> None:
    before = pl.DataFrame({"f": [1.0] * 100})
    few, many = (pl.DataFrame({"f": [None] * nulls + [1.0] * (100 - nulls)}) for nulls in (10, 40))
    assert judge("v", few, before, LIMITS)[0].passed
    assert "nulls grew" in judge("v", many, before, LIMITS)[0].reason


def test_a_first_load_has_nothing_to_differ_from_and_an_empty_one_after_it_does() -> None:
    full, none = pl.DataFrame({"f": [1.0] * 10}), pl.DataFrame({"f": []}, schema={"f": pl.Float64})
    assert judge("v", full, none, LIMITS)[0].passed
    assert judge("v", none, none, LIMITS)[0].passed
    assert judge("v", none, full, LIMITS)[0].reason == "no rows, 10 a week before"


def test_few_rows_and_lists_have_no_index() -> None:
    (few,) = judge("v", numbers(5.0, rows=50), numbers(0.0, rows=50), LIMITS)
    lists = pl.DataFrame({"f": [["a"]] * 500})
    assert few.psi is None and few.passed
    assert judge("v", lists, lists, LIMITS)[0].psi is None
