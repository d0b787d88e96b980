"""The rules of time that all layers share. All of them go by the log's append time, never by a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

AHEAD = timedelta(hours=1)
"""A record whose event time is more than this after its append time is a dead letter."""

LATE_AFTER = timedelta(hours=1)
"""A record is late for a day when it was appended more than this after the day's end; a day is published only then."""

CLOCK_MARGIN = timedelta(minutes=5)
"""How far the clocks of a lander and of the brokers may differ."""

_DAY = timedelta(days=1)


def start_of(day: date) -> datetime:
    """Midnight UTC at which the day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@dataclass(frozen=True)
class Horizon:
    """For how many days after its end a day is hot, that is, takes part in the speed layer."""

    days: int = 7

    def is_cold(self, event_day: date, append_day: date) -> bool:
        """Whether a record of `event_day` appended on `append_day` came after the horizon of its day."""
        return event_day + timedelta(days=self.days) < append_day

    def is_over(self, event_day: date, at: datetime) -> bool:
        """Whether the horizon of a day had ended at a time."""
        return at >= start_of(event_day) + _DAY * (self.days + 1)


def is_publishable(day: date, landed_until: datetime) -> bool:
    """Whether a landing whose end offsets were taken at this time may publish the day."""
    return landed_until > start_of(day) + _DAY + LATE_AFTER
