"""Which days the demo publishes, and which stay open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

CLOSED = 3
RUN_HOUR = 2
MARGIN = timedelta(minutes=5)


@dataclass(frozen=True)
class Days:
    """The days of a demo in order: `closed` are published by a run, `open` are answered by the speed layer alone."""

    closed: tuple[date, ...]
    open: tuple[date, ...]

    @property
    def before_today(self) -> int:
        """How many days before today are simulated."""
        return len(self.closed) + len(self.open) - 1


def demo_days(now: datetime) -> Days:
    """Three days up to the newest that the DAG's schedule has come to by `now`, and the days after them.

    The daily run of 02:00 UTC works on the day before; until then yesterday is open, too.
    """
    newest = (now.astimezone(UTC) - timedelta(hours=RUN_HOUR) - MARGIN).date() - timedelta(days=1)
    closed = tuple(newest - timedelta(days=back) for back in reversed(range(CLOSED)))
    today = now.astimezone(UTC).date()
    return Days(closed, tuple(newest + timedelta(days=ahead) for ahead in range(1, (today - newest).days + 1)))
