"""A double becomes minor units once, half-even, of the decimal that was written."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import EXPONENTS, MAX_MINOR, minor_units, to_minor

AMOUNTS = st.one_of(
    st.floats(),
    st.decimals(-(10**9), 10**9, places=3).map(float),
    st.integers(-(10**12), 10**12).map(lambda number: number / 1000 + 0.0005),
    st.integers(-(10**17), 10**17).map(float),
)


def _vectorised(amount: float, exponent: int) -> int | None:
    minor, fits = to_minor(np.array([amount]), np.array([exponent]))
    return int(minor[0]) if fits[0] else None


@given(AMOUNTS, st.sampled_from(sorted(EXPONENTS)))
def test_many_at_once_agree_with_the_definition(amount: float, currency: str) -> None:
    try:
        expected: int | None = minor_units(amount, currency)
    except ValueError:
        expected = None
    assert _vectorised(amount, EXPONENTS[currency]) == expected


@given(st.decimals(-(10**9), 10**9, places=3), st.sampled_from([0, 2, 3]))
def test_the_decimal_that_was_written_is_what_is_rounded(written: Decimal, exponent: int) -> None:
    expected = int(written.scaleb(exponent).to_integral_value(ROUND_HALF_EVEN))
    assert _vectorised(float(str(written)), exponent) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (1.005, "EUR", 100),
        (1.015, "EUR", 102),
        (2.5, "JPY", 2),
        (3.5, "JPY", 4),
        (0.0005, "KWD", 0),
        (-1.015, "EUR", -102),
    ],
)
def test_ties_go_to_even(amount: float, currency: str, minor: int) -> None:
    assert minor_units(amount, currency) == minor
    assert _vectorised(amount, EXPONENTS[currency]) == minor


@pytest.mark.parametrize("amount", [math.inf, -math.inf, math.nan, 1e300, (MAX_MINOR + 1) / 1.0])
def test_what_is_not_exact_is_no_money(amount: float) -> None:
    with pytest.raises(ValueError, match="amount"):
        minor_units(amount, "JPY")
    assert _vectorised(amount, 0) is None


def test_an_unknown_currency_has_no_minor_unit() -> None:
    with pytest.raises(KeyError):
        minor_units(1.0, "XAU")


def test_codes_are_three_capitals_and_named_once() -> None:
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in EXPONENTS)
    assert {EXPONENTS[code] for code in ("EUR", "USD", "SEK", "MRU")} == {2}
    assert {EXPONENTS[code] for code in ("JPY", "KRW", "ISK", "CLP", "VND")} == {0}
    assert {EXPONENTS[code] for code in ("BHD", "JOD", "KWD", "TND", "IQD", "LYD", "OMR")} == {3}
    assert {EXPONENTS[code] for code in ("CLF", "UYW")} == {4}
    assert not {"XAU", "XAG", "XDR", "XTS", "XXX"} & set(EXPONENTS)
