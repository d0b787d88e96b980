"""Features in a word: what they count, name or measure, and what they are where nothing is known."""

from __future__ import annotations

from feature_store.model import Feature, Kind

MINOR, MILLISECONDS = "minor units", "ms since 1970 UTC"
NEVER_DAYS = 90
"""What "days since" is where it never happened: the days that the batch looks back."""


def count(name: str, meaning: str, column: str = "") -> Feature:
    """A whole number, 0 where nothing is known."""
    return Feature(name, Kind.INT64, meaning, 0, column)


def text(name: str, meaning: str, column: str = "") -> Feature:
    """A text, empty where nothing is known."""
    return Feature(name, Kind.STRING, meaning, "", column)


def number(name: str, meaning: str, unit: str = "", default: float = 0.0, column: str = "") -> Feature:
    """A number with a fraction."""
    return Feature(name, Kind.FLOAT64, meaning, default, column, unit)


def texts(name: str, meaning: str, column: str = "") -> Feature:
    """A list of texts, empty where nothing is known."""
    return Feature(name, Kind.STRINGS, meaning, (), column)
