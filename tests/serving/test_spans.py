from __future__ import annotations

from datetime import UTC, datetime

import pytest

from serving.dashboard.spans import RangeDays, before, span_of

NOW = datetime(2026, 3, 11, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "start", "earlier"), [(1, "03-11", "03-04"), (7, "03-05", "02-26"), (28, "02-12", "01-15")]
)
def test_a_span_is_held_against_the_same_weekdays_at_the_same_time(days: RangeDays, start: str, earlier: str) -> None:
    span = span_of(NOW, days)
    past = before(span, days)
    assert (f"{span.start:%m-%d}", span.end) == (start, NOW)
    assert f"{past.start:%m-%d}" == earlier
    assert past.start.weekday() == span.start.weekday()
    assert past.end.time() == NOW.time()
    assert past.end - past.start == span.end - span.start
    assert past.end.date() < span.start.date()
