"""Shifted by whole days, and no faster than asked for."""

from datetime import date

from infra.messages import USER_EVENTS, Message
from infra.replay.timing import paced, shifted
from infra.simulator.faults import DAY_MS
from tests.oracle.log import at


def message(time: str, received: int | None = None) -> Message:
    value = {"timestamp": at(time), "receivedAt": received}
    return Message(USER_EVENTS, "s", "s", 2, value, at(time))


def test_the_first_record_comes_to_the_day_and_all_keep_their_distance() -> None:
    given = [message("2011-01-05 13:40"), message("2011-02-05 00:00", at("2011-02-05 00:01"))]
    first, second = shifted(given, date(2026, 3, 1))
    assert first.value == {"timestamp": at("2026-03-01 13:40"), "receivedAt": None}
    assert second.value == {"timestamp": at("2026-04-01 00:00"), "receivedAt": at("2026-04-01 00:01")}
    assert (second.send_time_ms - first.send_time_ms) == given[1].send_time_ms - given[0].send_time_ms
    assert first.send_time_ms % DAY_MS == given[0].send_time_ms % DAY_MS


def test_no_more_than_the_rate() -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    for number, _ in enumerate(paced([message("2011-01-05 13:40")] * 5, 10, lambda: now[0], sleep)):
        now[0] += 0.15 if number == 1 else 0
    assert [round(seconds, 6) for seconds in slept] == [0.1, 0.05, 0.1]
