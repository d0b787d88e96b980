"""The order of values: event time first, then when it was known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from feature_store.versions import event_of, version

times = st.integers(0, int(datetime(2109, 1, 1, tzinfo=UTC).timestamp() * 1000))
lags = st.integers(0, int(timedelta(days=400) / timedelta(milliseconds=1)))


@given(times, lags, times, lags)
def test_the_later_event_has_the_greater_version_whenever_it_was_known(a: int, a_lag: int, b: int, b_lag: int) -> None:
    if a < b:
        assert version(a, a + a_lag) < version(b, b + b_lag)


@given(times, lags, lags)
def test_of_one_event_time_the_later_known_is_never_older(event: int, one: int, other: int) -> None:
    first, second = sorted((one, other))
    assert version(event, event + first) <= version(event, event + second)


@given(times, lags)
def test_a_version_fits_a_signed_number_and_tells_its_event_time(event: int, lag: int) -> None:
    number = version(event, event + lag)
    assert number < 2**63
    assert event_of(number) == event


def test_a_recompute_a_second_later_wins_half_a_day_after_the_event() -> None:
    midnight, known = 1_763_683_200_000, 1_763_683_200_000 + 12 * 3_600_000
    assert version(midnight, known) < version(midnight, known + 1_000)


def test_what_was_known_before_it_happened_counts_as_known_then() -> None:
    assert version(1_000, 5) == version(1_000) == version(1_000, 1_000)
