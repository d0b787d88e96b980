"""Verdicts and the accounting law of hand-written logs."""

from dataclasses import replace
from datetime import date

from tests.oracle.answer import Account, fold, fold_day
from tests.oracle.log import at, broken, event, order
from tests.oracle.records import USER_EVENTS, Log, LogRecord
from tests.oracle.verdicts import Rules

LOG = Log(USER_EVENTS, 1, 0)


def verdicts(*records: LogRecord, rules: Rules = Rules()) -> list[str]:  # noqa: B008 (frozen)
    answer = fold(records, rules)
    return [answer.verdicts[record.position] for record in records]


def test_more_than_an_hour_ahead_of_receipt_is_dead() -> None:
    on_time = event(0, "2026-03-01 11:00", append="2026-03-01 10:00")
    ahead = event(1, "2026-03-01 11:00:00.001", append="2026-03-01 10:00")
    assert verdicts(on_time, ahead) == ["used", "dead_letter"]


def test_before_2000_and_blank_ids_and_unbookable_orders_are_dead() -> None:
    records = [
        event(0, "1999-12-31 23:59:59.999", append="2026-03-01 10:00"),
        event(1, "2026-03-01 10:00", session=" "),
        event(2, "2026-03-01 10:00", event_id=""),
        order(0, "2026-03-01 10:00", float("nan")),
        order(1, "2026-03-01 10:00", float("inf")),
        order(2, "2026-03-01 10:00", 1.0, "paid"),
        order(3, "2026-03-01 10:00", 1.0, currency="eur"),
    ]
    reasons = ["before_2000", "blank_id", "blank_id", "amount", "amount", "status", "currency"]
    assert verdicts(*records) == ["dead_letter"] * 7
    assert [fold(records).dead_letters[record.position] for record in records] == reasons


def test_the_lowest_offset_wins_within_one_session_only() -> None:
    records = [
        event(0, "2026-03-01 10:00", event_id="x", page="/first"),
        event(1, "2026-03-01 10:01", event_id="x", page="/second"),
        event(2, "2026-03-01 10:02", event_id="x", session="other"),
        event(3, "2026-03-01 10:02", event_id="x", tenant="north"),
    ]
    assert verdicts(*reversed(records)) == ["used", "used", "duplicate", "used"]
    assert fold(records).events[0].page == "/first"


def test_a_dead_letter_makes_no_duplicate_and_a_duplicate_is_never_cold() -> None:
    records = [
        event(0, "2026-03-01 12:00", event_id="x", append="2026-03-01 10:00"),
        event(1, "2026-03-01 10:00", event_id="x", append="2026-03-01 10:01"),
        event(2, "2026-03-01 10:00", event_id="x", append="2026-03-20 10:00"),
    ]
    assert verdicts(*records) == ["dead_letter", "used", "duplicate"]


def test_an_order_is_the_same_by_transaction_status_and_time() -> None:
    records = [
        order(0, "2026-03-01 10:00", 5.0, transaction="t"),
        order(1, "2026-03-01 10:00", 6.0, transaction="t"),
        order(2, "2026-03-01 10:00", 5.0, "refunded", transaction="t"),
        order(3, "2026-03-01 10:01", 5.0, transaction="t"),
    ]
    assert verdicts(*records) == ["used", "duplicate", "used", "used"]


def test_cold_begins_when_day_and_horizon_are_before_the_day_of_receipt() -> None:
    warm = event(0, "2026-03-01 00:00", append="2026-03-08 23:59:59.999")
    chilled = event(1, "2026-03-01 23:59", append="2026-03-09 00:00")
    assert verdicts(warm, chilled) == ["used", "cold"]
    assert verdicts(warm, chilled, rules=Rules(horizon_days=8)) == ["used", "used"]
    assert len(fold([warm, chilled]).events) == 2


def test_receipt_time_never_goes_back_along_the_offsets() -> None:
    first = event(0, "2026-03-09 00:00", append="2026-03-09 00:00:01")
    stepped_back = event(1, "2026-03-01 12:00", append="2026-03-08 23:59")
    assert verdicts(first, stepped_back) == ["used", "cold"]


def test_records_are_used_duplicates_dead_letters_and_cold() -> None:
    records = [
        event(0, "2026-03-01 10:00"),
        event(1, "2026-03-01 10:01", event_id="e0"),
        broken(2, "2026-03-01 10:02"),
        event(3, "2026-03-01 10:03", append="2026-03-12 10:03"),
        event(4, "2026-03-12 10:04"),
    ]
    answer = fold(records)
    assert answer.accounts == {LOG: Account(5, used=2, duplicates=1, dead_letters=1, cold=1)}
    assert {position.offset for position in answer.positions("cold")} == {3}


def test_a_record_read_twice_counts_once_and_order_does_not_matter() -> None:
    records = [event(n, f"2026-03-01 10:{n:02}", event_id=f"{n % 4}") for n in range(9)]
    assert fold([*records, *records]) == fold(records) == fold(records[::-1])


def test_a_day_is_folded_to_its_cut_or_to_what_was_applied_before_its_horizon_ended() -> None:
    cold = event(2, "2026-03-01 12:00", append="2026-03-09 09:00")
    records = [event(0, "2026-03-01 10:00"), event(1, "2026-03-01 11:00"), cold, event(3, "2026-03-09 10:00")]
    day = date(2026, 3, 1)

    def offsets(cut: int, applied: int) -> list[int]:
        answer = fold_day(records, day, {LOG: cut}, {LOG: applied})
        return [found.position.offset for found in answer.events]

    assert offsets(cut=0, applied=0) == []
    assert offsets(cut=0, applied=1) == [0]
    assert offsets(cut=0, applied=4) == [0, 1]
    assert offsets(cut=3, applied=1) == [0, 1, 2]


def test_a_log_known_to_neither_layer_is_not_read() -> None:
    other = replace(event(0, "2026-03-01 10:00"), partition=1)
    answer = fold_day([other, event(0, "2026-03-01 10:00")], date(2026, 3, 1), {}, {LOG: 1})
    assert [found.position.log for found in answer.events] == [LOG]
    assert answer.sessions[0].session_start == at("2026-03-01 10:00")
