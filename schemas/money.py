"""Money as integer minor units: the exponent of every currency and the one place where a double becomes an integer.

A double stands for the shortest decimal that reads back as it (what a producer wrote: 1.015, not 1.01499...). That
decimal is rounded half-even at the currency's exponent, once.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import numpy.typing as npt

MAX_MINOR = 2**53 - 1
"""Beyond this a double has no unit digits left, so an amount could not be exact."""

_SAFE_MINOR = 2.0**40
_TIE_MARGIN = 1e-3

# ISO 4217 as its maintenance agency SIX publishes it
# (https://www.six-group.com/en/products-services/financial-information/data-standards.html): list one, the active
# codes, and from list three those withdrawn since 2010, because records go back so far.
# Codes without a minor unit of account (precious metals, XDR, XSU, XUA, tests) are no money here.
_TWO = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR
ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV
MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD
SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
BGN CUC EEK HRK LTL LVL MRO STD SLL VEF ZMK ZWL
"""
_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF BYR"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"

EXPONENTS: dict[str, int] = {
    code: exponent for exponent, codes in ((2, _TWO), (0, _ZERO), (3, _THREE), (4, _FOUR)) for code in codes.split()
}
"""Decimal places of the minor unit by ISO 4217 code."""


def minor_units(amount: float, currency: str) -> int:
    """The amount in minor units of the currency; the definition that `to_minor` must agree with.

    Raises KeyError for an unknown currency, ValueError when the amount is not finite or beyond `MAX_MINOR`.
    """
    return _exact(amount, EXPONENTS[currency])


def to_minor(
    amounts: npt.NDArray[np.float64], exponents: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Minor units of many amounts at their exponents, and a mask of those that have any (finite, within `MAX_MINOR`).

    Where the product is far from a tie and small, rounding it is exact; the few others go through the decimal.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = amounts * (10.0**exponents)
        fits = np.isfinite(amounts) & (np.abs(scaled) <= 2.0 * MAX_MINOR)
        scaled = np.where(fits, scaled, 0.0)
        near_tie = np.abs(scaled - np.floor(scaled) - 0.5) < _TIE_MARGIN
    minor = np.rint(scaled).astype(np.int64)
    for index in np.flatnonzero(fits & (near_tie | (np.abs(scaled) >= _SAFE_MINOR))):
        minor[index] = _rounded(float(amounts[index]), int(exponents[index]))
    return minor, fits & (np.abs(minor) <= MAX_MINOR)


def _exact(amount: float, exponent: int) -> int:
    if not np.isfinite(amount):
        raise ValueError(f"amount {amount} is not finite")
    minor = _rounded(amount, exponent)
    if abs(minor) > MAX_MINOR:
        raise ValueError(f"amount {amount} is beyond what a double keeps exactly")
    return minor


def _rounded(amount: float, exponent: int) -> int:
    return int(Decimal(repr(amount)).scaleb(exponent).to_integral_value(ROUND_HALF_EVEN))
