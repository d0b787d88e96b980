"""The span that the dashboard shows and the one that it is held against, both cut at the same part of the day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

RangeDays = Literal[1, 7, 28]

_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Span:
    """From `start` to before `end`."""

    start: datetime
    end: datetime

    @property
    def first_day(self) -> date:
        """UTC day of the start."""
        return self.start.date()

    @property
    def last_day(self) -> date:
        """UTC day of the last moment."""
        return (self.end - timedelta(microseconds=1)).date() if self.end > self.start else self.first_day

    def earlier(self, shift: timedelta) -> Span:
        """The same span, so much before."""
        return Span(self.start - shift, self.end - shift)


def span_of(now: datetime, days: RangeDays) -> Span:
    """The last `days` days up to now, of which today is one."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Span(midnight - timedelta(days=days - 1), now)


def before(span: Span, days: RangeDays) -> Span:
    """What a span is held against: the same weekdays, so many whole weeks before that the spans do not meet."""
    weeks = -(-days // _WEEK.days)
    return span.earlier(weeks * _WEEK)
