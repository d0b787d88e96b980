"""The parameters that name days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import Field

from serving.api.problems import invalid

MAX_DAYS = 400
DEFAULT_DAYS = 31
_FIRST, _LAST = date(1970, 1, 1), date(2149, 6, 6)

Day = Annotated[date, Field(ge=_FIRST, le=_LAST)]
"""A UTC day that ClickHouse's type Date can hold."""

_FROM = Query(alias="from", description="First UTC day", examples=["2026-01-01"])
_TO = Query(alias="to", description=f"Last UTC day; at most {MAX_DAYS} days in all", examples=["2026-01-31"])


@dataclass(frozen=True)
class Days:
    """The UTC days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def parameters(self) -> dict[str, date]:
        """Query parameters `first_day` and `last_day`."""
        return {"first_day": self.first, "last_day": self.last}

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"


WITHIN = "day BETWEEN {first_day:Date} AND {last_day:Date}"
"""The condition for rows of `Days.parameters`."""


def required_days(first: Annotated[Day, _FROM], last: Annotated[Day, _TO]) -> Days:
    """The parameters `from` and `to`."""
    return _checked(first, last)


def latest_days(today: date, first: date | None, last: date | None, *, default_days: int = DEFAULT_DAYS) -> Days:
    """`from` and `to` where they may be left out: then the days up to today, or up to `to`."""
    last = last or max(today, first or today)
    return _checked(first or max(_FIRST, last - timedelta(days=default_days - 1)), last)


OptionalFrom = Annotated[
    Day | None, Query(alias="from", description=f"First UTC day; without it {DEFAULT_DAYS} days are searched")
]
OptionalTo = Annotated[Day | None, Query(alias="to", description="Last UTC day; today without it")]


def _checked(first: date, last: date) -> Days:
    if first > last:
        raise invalid("query.from", f"{first} is after {last}, the value of `to`")
    if (last - first).days >= MAX_DAYS:
        raise invalid("query.to", f"{first} to {last} are more than {MAX_DAYS} days; ask in parts")
    return Days(first, last)
